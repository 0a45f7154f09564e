"""For every folder: a test that fails is reported with the servers that ran then, and tried again beside Apache's."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE, os.path.join(HERE, "interop")]

import second_attempt  # noqa: E402
import server as server_module  # noqa: E402


def pytest_configure(config):
    config.pluginmanager.register(second_attempt, "second_attempt")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Servers of fixtures still run here. Those of a `with` in the test have told of themselves at its end."""
    report = (yield).get_result()
    if report.failed:
        told = server_module.tell_of_failure()
        if told:
            report.sections.append(("servers at the failure of %s" % item.name, told))
