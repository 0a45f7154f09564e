"""What the hostile tests share: is the server alive, and what does it cost?"""
import functools
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

from server import LONGEST_MS  # noqa: E402
from zkraw import Client  # noqa: E402

# Those who ask for it have sessions that no slow disk ends in the middle of a test.
LONG = ["maxSessionTimeout=%d" % LONGEST_MS]
MB = 1024  # in the KB of /proc


def is_sanitized(srv):
    """Sanitizers keep freed memory: bounds on RSS mean nothing then."""
    with open("/proc/%d/maps" % srv.pid) as f:
        text = f.read()
    return "libasan" in text or "libtsan" in text or has_sanitizer(os.readlink("/proc/%d/exe" % srv.pid))


@functools.lru_cache(None)
def has_sanitizer(program):
    """clang puts its runtime into the program itself."""
    with open(program, "rb") as f:
        return re.search(rb"__[at]san_init", f.read()) is not None


def rss_kb(srv, field="VmRSS"):
    with open("/proc/%d/status" % srv.pid) as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise LookupError(field)


def cpu_seconds(srv):
    with open("/proc/%d/stat" % srv.pid) as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_calm(srv, seconds, most):
    """Takes less of a processor than `most` seconds in one of some spans: what spins does in none, and what is done in
    the background comes to its end.
    """
    for _ in range(10):
        began = cpu_seconds(srv)
        time.sleep(seconds)
        if cpu_seconds(srv) - began < most:
            return True
    return False


def still_serves(srv):
    """A new client can write and read."""
    assert srv.running(), srv.log()[-3000:]
    client = Client(srv.port)
    assert client.granted_ms > 0
    path = "/alive-%x" % client.session_id
    assert client.create(path, b"x").err == 0
    assert client.get(path).data == b"x"
    assert client.delete(path).err == 0
    client.close()


class Watched:
    """A server and the memory it had when the test began."""

    def __init__(self, srv):
        self.srv = srv
        self.before_kb = rss_kb(srv)

    def check(self, grown_kb_max):
        still_serves(self.srv)
        if not is_sanitized(self.srv):
            grown = rss_kb(self.srv) - self.before_kb
            assert grown <= grown_kb_max, "RSS grew by %d KB" % grown
