"""Replays captured conversations byte for byte on a fresh server.

gold39.json and gold38.json hold [name, request, replies] in hex, captured from Apache ZooKeeper
3.9.5 and 3.8.0. Dots in a reply stand for what differs from run to run (times, session ids,
passwords). Requests that start with "connect-" open a connection, all others go on with the one
before, so that zxids count up exactly as captured.
"""
import json
import os
import re
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

import server as server_module  # noqa: E402
from server import Server  # noqa: E402
from zkraw import Closed, Connection, i32  # noqa: E402

# The captures were taken with tickTime 2000: the negotiated time-outs are in them.
FRAMES = 79
SHORTEST_S = 4


def load(variant):
    with open(os.path.join(HERE, "gold%s.json" % variant)) as f:
        return json.load(f)


def replay(port, vectors):
    """(matching frames, list of differences)"""
    matching, wrong, conn = 0, [], None
    for name, request, replies in vectors:
        if name.startswith("connect-") or conn is None:
            if conn is not None:
                conn.drop()
            conn = Connection(port)
        try:
            conn.send_bytes(bytes.fromhex(request))
        except OSError:
            pass  # the missing reply is told below
        for expected in replies:
            try:
                payload = conn.recv_frame()
                got = (i32(len(payload)) + payload).hex()
            except (Closed, OSError) as e:
                got = "nothing: %s" % e
            if re.fullmatch(expected.replace(".", "[0-9a-f]"), got):
                matching += 1
            else:
                wrong.append(
                    "%s\n  sent     %s\n  expected %s\n  got      %s"
                    % (name, request, expected, got)
                )
    conn.drop()
    return matching, wrong


@pytest.mark.skipif(server_module.server_command() is None, reason="no server to test")
def test_every_golden_frame(tmp_path):
    for number in range(3):
        with Server(tmp_path / str(number)) as srv:
            vectors = load("38" if srv.is_38() else "39")
            assert sum(len(v[2]) for v in vectors) == FRAMES
            began = time.monotonic()
            matching, wrong = replay(srv.port, vectors)
        if not wrong or time.monotonic() - began < SHORTEST_S:
            break  # else the captured session of 4 s, which is left alone, has taken a zxid by its end
    print("%d of %d frames" % (matching, FRAMES))
    assert not wrong, "\n".join(wrong)
    assert matching == FRAMES
