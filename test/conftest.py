"""For every folder: a test that fails is reported with the servers that ran then."""
import os
import sys

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "interop"))

import server as server_module  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Servers of fixtures still run here. Those of a `with` in the test have told of themselves at its end."""
    report = (yield).get_result()
    if report.failed:
        told = server_module.tell_of_failure()
        if told:
            report.sections.append(("servers at the failure of %s" % item.name, told))
