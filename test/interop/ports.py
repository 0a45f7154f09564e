"""Ports of 127.0.0.1 for servers that tests start.

    free_port()         a port that nobody has now and that this process has not named before
    free_port(4)        the first of four in a row
    free_port_from(n)   the first such port from n on

ZOKOR_TEST_PORTS="first-last" keeps free_port() to that range.

A port that the kernel hands out to connections that go out would be gone between its choice and the server's bind as
soon as any server or test of the machine dials somebody, so none is taken of that range (ip_local_port_range). Test
runs side by side keep apart by blocks of ports: each block in use is marked by a socket of the abstract name space,
which goes with its process however that ends.
"""
import os
import socket
import threading

FIRST, LAST = 10240, 65535  # below are the ports that services of the machine have by custom
BLOCK = 128
EPHEMERAL = "/proc/sys/net/ipv4/ip_local_port_range"


def _usable():
    """All ports that may be chosen, in order."""
    wanted = os.environ.get("ZOKOR_TEST_PORTS")
    if wanted:
        first, last = (int(x) for x in wanted.split("-"))
        return range(first, last + 1)
    try:
        with open(EPHEMERAL) as f:
            low, high = (int(x) for x in f.read().split())
    except OSError:
        return range(FIRST, LAST + 1)
    sides = range(FIRST, min(low, LAST + 1)), range(max(high + 1, FIRST), LAST + 1)
    largest = max(sides, key=len)
    # A machine whose kernel takes nearly everything for itself leaves no choice.
    return largest if len(largest) >= 1024 else range(FIRST, LAST + 1)


def _is_free(port):
    """True when a socket could be bound there, on every address of this machine."""
    with socket.socket() as s:
        try:
            s.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


class _Ports:
    def __init__(self):
        self.pid = os.getpid()
        ports = _usable()
        blocks = [ports[i : i + BLOCK] for i in range(0, len(ports), BLOCK)]
        # Processes start at places of their own: neighbours in number are far apart.
        start = self.pid * 0x9E3779B1 % len(blocks)
        self.blocks = blocks[start:] + blocks[:start]
        self.marks = []
        self.given = set()
        self.walk = self._walk()

    def _mark(self, block):
        """True when no other process is at work in this block."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            s.bind("\0zokor-test-ports-%d" % block[0])
        except OSError:
            s.close()
            return False
        self.marks.append(s)
        return True

    def _walk(self):
        own = []
        for block in self.blocks:
            if self._mark(block):
                own.append(block)
                yield from block
        # Only a small range that was asked for ends; what was named longest ago comes first then.
        while own and self.given:
            self.given.clear()
            for block in own:
                yield from block

    def take(self, count):
        row = []
        for port in self.walk:
            if port in self.given or not _is_free(port):
                row = []
                continue
            row = row + [port] if row and port == row[-1] + 1 else [port]
            if len(row) == count:
                self.given.update(row)
                return row[0]
        raise RuntimeError("no port is free for a test; ZOKOR_TEST_PORTS=FIRST-LAST names other ones")


_ports = None
_lock = threading.Lock()


def _of_this_process():
    """A child that was forked off has ports of its own too."""
    global _ports
    if _ports is None or _ports.pid != os.getpid():
        _ports = _Ports()
    return _ports


def free_port(count=1):
    with _lock:
        return _of_this_process().take(count)


def free_port_from(first, tries=200):
    """The first port from `first` on that is free and was not named before; None if there is none among `tries`."""
    with _lock:
        given = _of_this_process().given
        for port in range(first, min(first + tries, LAST + 1)):
            if port not in given and _is_free(port):
                given.add(port)
                return port
    return None
