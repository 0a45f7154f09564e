"""A short campaign, and what it recorded spoiled on purpose: a judge that would let that pass judges nothing."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import campaign  # noqa: E402
from check import Check, true_history  # noqa: E402
from clients import WRITES_OF_STATE  # noqa: E402
from server import server_command, use_apache  # noqa: E402

pytestmark = pytest.mark.skipif(use_apache() or server_command() is None, reason="harms servers of its own")

SECONDS = 12
FAULTS = ("kill", "kill_all", "pause", "cut_off", "mute", "deafen", "disk_full", "slow_disk", "bad_network")


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    for seconds in (SECONDS, 4 * SECONDS, 8 * SECONDS):
        directory = str(tmp_path_factory.mktemp("campaign"))
        findings, figures = campaign.campaign(directory, seconds, 3, 1, only=FAULTS)
        print(figures)
        check = campaign.judge(directory)[0]
        serious = [f for f in findings if not f.startswith("a campaign without ")]
        if serious or (not findings and is_rich(check)):
            break  # on a slow machine the short one may not have shown enough
    return findings, check


def test_nothing_is_lost_invented_or_out_of_order(judged):
    assert judged[0] == []


def replies(record, wanted):
    """(place of the send, place of the reply) of the requests of one record that were answered and that are wanted."""
    sent = {}
    for i, row in enumerate(record):
        if row[0] == "send":
            sent[row[1]] = i
        elif row[0] == "reply" and wanted(record[sent[row[1]]], row):
            yield sent[row[1]], i


def change(row, **fields):
    names = ("what", "xid", "zxid", "err", "result", "got")
    return tuple(fields.get(name, value) for name, value in zip(names, row))


def spoil_write(op):
    def spoil(record):
        for _, i in replies(record, lambda send, row: send[2] == op and row[3] == 0):
            yield i, change(record[i], zxid=record[i][2] + 1)

    return spoil


def spoil_data(record):
    for _, i in replies(record, lambda send, row: send[2] == "get" and row[3] == 0):
        yield i, change(record[i], result=(b"other", record[i][4][1]))


def spoil_stat(record):
    for _, i in replies(record, lambda send, row: send[2] == "exists" and row[3] == 0):
        yield i, change(record[i], result=record[i][4]._replace(version=record[i][4].version + 1))


def spoil_children(record):
    for _, i in replies(record, lambda send, row: send[2] == "ls" and row[3] == 0):
        yield i, change(record[i], result=(record[i][4][0] + ("zz",), record[i][4][1]))


def spoil_name(record):
    for _, i in replies(record, lambda send, row: send[2] == "create" and send[3][2] & 2 and row[3] == 0):
        yield i, change(record[i], result=record[i][4][:-1] + "x")


def spoil_error(record):
    for _, i in replies(record, lambda send, row: send[2] == "set" and row[3] == -103):
        yield i, change(record[i], err=-101)


def spoil_multi(record):
    for _, i in replies(record, lambda send, row: send[2] == "multi" and row[3] == 0):
        yield i, change(record[i], result=record[i][4][:-1])


def spoil_old_sync(record):
    """A sync asked for after everything had been seen, but answered with an old state."""
    for s, i in replies(record, lambda send, row: send[2] == "sync"):
        row = record[s]
        yield s, (*row[:5], row[5] + 1e6)


def spoil_late_write(record):
    """A write that got a zxid below what had been seen when it was asked for."""
    for s, i in replies(record, lambda send, row: send[2] in WRITES_OF_STATE):
        row = record[s]
        yield s, (*row[:5], row[5] + 1e6)


def spoil_request(record):
    """Something else was written than was asked for."""
    for s, i in replies(record, lambda send, row: send[2] == "set" and row[3] == 0):
        row = record[s]
        yield s, (*row[:3], (row[3][0], b"other", row[3][2]), *row[4:])


def spoil_event_type(record):
    for i, row in enumerate(record):
        if row[0] == "event":
            yield i, ("event", row[1] % 4 + 1, *row[2:])


def spoil_event_path(record):
    for i, row in enumerate(record):
        if row[0] == "event":
            yield i, (*row[:2], row[2] + "x", *row[3:])


def spoil_event_lost(record):
    for i, row in enumerate(record):
        later = [r[0] for r in record[i + 1 : i + 40]]
        if row[0] == "event" and "reply" in later and "gone" not in later[: later.index("reply")]:
            yield i, None


def spoil_event_twice(record):
    for i, row in enumerate(record):
        if row[0] == "event":
            yield i, (row, row)


SPOILS = [
    spoil_write("set"),
    spoil_write("create"),
    spoil_write("multi"),
    spoil_data,
    spoil_stat,
    spoil_children,
    spoil_name,
    spoil_error,
    spoil_multi,
    spoil_old_sync,
    spoil_late_write,
    spoil_request,
    spoil_event_type,
    spoil_event_path,
    spoil_event_lost,
    spoil_event_twice,
]


def is_rich(check):
    """Everything that is spoiled below is in what was recorded, and there were several leaders."""
    records = [record for client, record in check.records.items() if client >= 0]
    epochs = {t.zxid >> 32 for t in check.history}
    return len(epochs) > 1 and all(any(list(spoil(record)) for record in records) for spoil in SPOILS)


def with_row(record, i, row):
    if row is None:
        return record[:i] + record[i + 1 :]
    if isinstance(row[0], tuple):
        return record[:i] + list(row) + record[i + 1 :]
    return record[:i] + [row] + record[i + 1 :]


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda f: f.__qualname__.split(".")[0])
def test_the_judge_notices(judged, spoil):
    good = judged[1]
    clients = [client for client, record in good.records.items() if client >= 0 and any(spoil(record))]
    assert clients, "nothing of that kind was recorded"
    # A single place may be innocent: an event told twice can be that of the next change, whose own was cut off.
    for client in clients[:4]:
        record = good.records[client]
        places = list(spoil(record))
        tried = places[len(places) // 2 :][:3]
        spoiled = ({**good.records, client: with_row(record, i, row)} for i, row in tried)
        if any(Check(good.history, records, good.strangers).run() for records in spoiled):
            return
    pytest.fail("nothing was noticed")


def test_the_judge_notices_a_write_that_was_lost(judged):
    """One whose client has had the answer: nobody misses another one."""
    good = judged[1]
    answered = {record[i][2] for client, record in good.records.items() if client >= 0
                for _, i in replies(record, lambda send, row: send[2] == "set" and row[3] == 0)}  # fmt: skip
    done = [t for t in good.history if t.type == 5 and t.zxid in answered]
    lost = done[len(done) // 2]
    history = [t for t in good.history if t is not lost]
    assert any("not in the log" in f for f in Check(history, good.records, good.strangers).run())


def test_the_judge_notices_logs_that_differ(judged):
    history = judged[1].history
    # Within an epoch: what comes last in one is not missed.
    whole = [i for i in range(1, len(history) - 1) if history[i - 1].zxid >> 32 == history[i + 1].zxid >> 32]
    middle = whole[len(whole) // 2]
    other = history[:middle] + [history[middle]._replace(raw=b"other")] + history[middle + 1 :]
    none = {1: [], 2: []}
    assert true_history({1: history, 2: history}, none)[1] == []
    assert any("differ" in f for f in true_history({1: history, 2: other}, none)[1])
    assert any("a gap" in f for f in true_history({1: other[:middle], 2: other[middle + 1 :]}, none)[1])


def test_the_judge_notices_what_an_epoch_left_behind(judged):
    """A record behind the last of its epoch must be covered by a later snapshot."""
    history = [t for t in judged[1].history]
    ends = [i for i in range(len(history) - 1) if history[i].zxid >> 32 != history[i + 1].zxid >> 32]
    if not ends:
        pytest.fail("one epoch only")
    last = history[ends[0]]
    left = history[: ends[0] + 1] + [last._replace(zxid=last.zxid + 1, raw=b"left")]
    assert true_history({1: history, 2: left}, {1: [], 2: [history[-1].zxid]})[1] == []
    assert any("still has" in f for f in true_history({1: history, 2: left}, {1: [], 2: []})[1])
