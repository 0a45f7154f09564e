"""The client library through ctypes, for tests that steer servers at the same time."""
import ctypes
import threading
import time

WATCHER = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
)
CONNECTING, ASSOCIATING, CONNECTED, READ_ONLY = 1, 2, 3, 5
EXPIRED, AUTH_FAILED = -112, -113
SESSION = -1
READ_ONLY_OK, QUIET = 1, 2


class ClientId(ctypes.Structure):
    _fields_ = [("client_id", ctypes.c_int64), ("passwd", ctypes.c_char * 16)]


class Zoo:
    """A handle; events are kept in order as (type, state, path)."""

    def __init__(self, library, hosts, timeout_ms=30000, flags=QUIET, client_id=None):
        self.lib = ctypes.CDLL(library)
        for name in ("zookeeper_init", "zoo_get_current_server", "zerror", "zoo_client_id"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.lib.zoo_get_current_server.restype = ctypes.c_char_p
        self.lib.zoo_client_id.restype = ctypes.POINTER(ClientId)
        self.lib.zoo_set_debug_level(1)
        self.events = []
        self.changed = threading.Condition()
        self.watcher = WATCHER(self._event)
        acl = ctypes.c_char.in_dll(self.lib, "ZOO_OPEN_ACL_UNSAFE")
        self.open_acl = ctypes.c_void_p(ctypes.addressof(acl))
        given = ctypes.byref(client_id) if client_id else None
        self.zh = ctypes.c_void_p(
            self.lib.zookeeper_init(hosts.encode(), self.watcher, timeout_ms, given, None, flags | QUIET)
        )
        assert self.zh.value

    def _event(self, zh, kind, state, path, ctx):
        with self.changed:
            self.events.append((kind, state, path.decode()))
            self.changed.notify_all()

    def expect(self, *event, seconds=60):
        """Waits until the event is among those that came, and forgets it and all before it."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while event not in self.events:
                assert self.changed.wait(max(0, deadline - time.monotonic())), (event, self.events)
            del self.events[: self.events.index(event) + 1]

    def forget(self):
        """All events so far."""
        with self.changed:
            self.events.clear()

    def expect_state(self, state, seconds=60):
        self.expect(SESSION, state, "", seconds=seconds)

    @property
    def state(self):
        return self.lib.zoo_state(self.zh)

    @property
    def server(self):
        return self.lib.zoo_get_current_server(self.zh).decode()

    @property
    def session(self):
        return self.lib.zoo_client_id(self.zh).contents

    def create(self, path, value=b"", mode=0):
        return self.lib.zoo_create(
            self.zh, path.encode(), value, len(value), self.open_acl, mode, None, 0
        )

    def set(self, path, value=b""):
        return self.lib.zoo_set(self.zh, path.encode(), value, len(value), -1)

    def delete(self, path):
        return self.lib.zoo_delete(self.zh, path.encode(), -1)

    def get(self, path, watch=0):
        """(error, value)"""
        room = ctypes.create_string_buffer(1 << 16)
        n = ctypes.c_int(len(room))
        rc = self.lib.zoo_get(self.zh, path.encode(), watch, room, ctypes.byref(n), None)
        return rc, room.raw[: max(0, n.value)] if rc == 0 else None

    def exists(self, path, watch=0):
        return self.lib.zoo_exists(self.zh, path.encode(), watch, ctypes.create_string_buffer(72))

    def set_servers(self, hosts):
        return self.lib.zoo_set_servers(self.zh, hosts.encode())

    def persist(self, call, *args, seconds=60):
        """Repeats a call while it fails with the connection; its result."""
        deadline = time.monotonic() + seconds
        while True:
            rc = call(*args)
            code = rc[0] if isinstance(rc, tuple) else rc
            if code not in (-4, -7) or time.monotonic() > deadline:
                return rc
            time.sleep(0.02)

    def close(self):
        zh, self.zh = self.zh, None
        return self.lib.zookeeper_close(zh) if zh else 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
