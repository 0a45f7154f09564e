"""A test that fails while a server of Apache's takes part in it is run once more, from its set-up
(docs/decisions/028-a-second-attempt-beside-apache.md). No other test is.

Apache takes part where a test, or a fixture that it uses, has started Apache's server by server.py and has not ended
it since; @pytest.mark.with_apache says so of tests that start it in another way. Before the second attempt all
fixtures are torn down, those of the module and of the session, too. A test that fails twice fails. The summary names
every test that needed it, with the failure of its first attempt, and the JUnit file has it as a property.
"""
import os
import sys

import pytest
from _pytest.runner import runtestprotocol

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "interop"))

import server as server_module  # noqa: E402

PROPERTY = "needed a second attempt"
LONGEST_TEXT = 20000

_needed = []  # (name of the test, how the first attempt failed, outcome of the second)


def pytest_configure(config):
    config.addinivalue_line("markers", "with_apache: a server of Apache's takes part that server.py has not started")
    _needed.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """Notes whose servers of Apache's are those that start now."""
    before = server_module.apaches()
    yield
    for one in server_module.apaches():
        if one not in before:
            one.fixtures.append(fixturedef)


def _uses(item, one):
    """True if this server, which runs before the test begins, is of one of its fixtures."""
    info = getattr(item, "_fixtureinfo", None)
    used = [one for defs in info.name2fixturedefs.values() for one in defs] if info else []
    return any(fixture in used for fixture in one.fixtures)


def _failures(reports):
    return [r for r in reports if r.failed]


def _text(reports):
    out = ["%s: %s" % (r.when, r.longreprtext) for r in _failures(reports)]
    out += ["---- %s\n%s" % part for r in _failures(reports) for part in r.sections]
    return "\n".join(out)[:LONGEST_TEXT]


def _reason(text):
    """One line: what pytest marks as the error."""
    lines = text.splitlines()
    return next((x[1:].strip() for x in lines if x.startswith("E  ")), lines[0] if lines else "")[:300]


def _begin_anew(item):
    """Ends all that other tests have set up for this one; what goes wrong there belongs to the first attempt."""
    try:
        item.session._setupstate.teardown_exact(None)
        return ""
    except Exception as e:
        return "\nand all its fixtures could not be torn down: %r" % e


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    starts = server_module.apache_starts()
    beside = item.get_closest_marker("with_apache") or any(_uses(item, one) for one in server_module.apaches())
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if _failures(reports) and (beside or server_module.apache_starts() != starts):
        first = _text(reports) + _begin_anew(item)
        item.user_properties.append((PROPERTY, _reason(first)))
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        again = _failures(reports)
        for report in again:
            report.sections.append(("the first of two attempts", first))
        _needed.append((item.nodeid, first, "failed" if again else "passed"))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter):
    if not _needed:
        return
    terminalreporter.section("SECOND ATTEMPTS BESIDE APACHE'S SERVER", sep="!", red=True, bold=True)
    for name, first, outcome in _needed:
        terminalreporter.line("%s: its second attempt %s; the first:" % (name, outcome), yellow=True)
        for line in first.splitlines():
            terminalreporter.line("    " + line)
