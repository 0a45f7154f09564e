"""The recipes against a server: every test of the programs of this folder is one test here."""
import os
import re

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = ["framework", "ensemble", "locks", "leaders", "caches", "nodes", "queues", "services", "stress"]


def names_in(name):
    """The table at a program's end."""
    with open(os.path.join(HERE, name + ".c")) as f:
        return [(name, test) for test in re.findall(r'\{ "(\w+)", test_\w+ \}', f.read())]


@pytest.mark.parametrize("name,test", [pair for name in PROGRAMS for pair in names_in(name)])
def test_recipe(build, srv, program, name, test):
    run = build.run(program(name), srv.hosts, str(srv.port), test, seconds=600)
    assert run.returncode == 0 and "PASS %s" % test in run.stdout, run.stdout[-6000:]
