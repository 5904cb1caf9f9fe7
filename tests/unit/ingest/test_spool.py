"""The spool keeps what it accepted through kills, torn logs, damage and a full disk; bounded, logs first to go."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.ingest.agent.outbox import Outbox
from services.ingest.agent.spool import Item, Rank, Spool, WrongOwner
from services.ingest.agent.transport import Fate, Outcome

BIG = 100 * 1024 * 1024


def item(value: bytes, rank: Rank = Rank.END, kind: str = "session") -> Item:
    return Item(kind, rank, value, time.time())


def values(spool: Spool, **limits: Any) -> list[bytes]:
    found = spool.oldest(limits.get("events", 10_000), limits.get("size", BIG))
    return [each.value for each in found]


@pytest.fixture
def spool(tmp_path: Path) -> Any:
    spool = Spool(tmp_path / "spool.db", "agent-1", BIG)
    spool.open()
    yield spool
    spool.close()


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a8_sessions_and_issues_go_before_logs_each_in_order(spool: Spool) -> None:
    spool.add([item(b"l1", Rank.LOG, "log"), item(b"s1"), item(b"l2", Rank.LOG, "log"), item(b"s2", Rank.PROGRESS)])
    assert values(spool) == [b"s1", b"s2", b"l1", b"l2"]
    assert values(spool, events=2) == [b"s1", b"s2"]
    assert values(spool, size=1) == [b"s1"]


def test_a4_logs_are_dropped_first_and_ends_last(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "small.db", "agent-1", 4000)
    spool.open()
    kinds = ((Rank.LOG, "log"), (Rank.PROGRESS, "session"), (Rank.ISSUE, "issue"), (Rank.END, "session"))
    dropped: Counter[str] = Counter()
    for number in range(10):
        for rank, kind in kinds:
            gone = spool.add([item(bytes([number]) * 100, rank, kind)])
            dropped.update(each for each, _ in gone)
    assert dropped == {}
    for number in range(25):
        dropped.update(each for each, _ in spool.add([item(b"%03d" % number + b"x" * 97)]))
    assert spool.bytes <= 4000
    kept = Counter((each.kind, each.rank) for each in spool.oldest(1000, BIG))
    assert kept == {("issue", Rank.ISSUE): 5, ("session", Rank.END): 35}
    assert dropped == {"log": 10, "session": 10, "issue": 5}
    assert spool.events == sum(kept.values()) == 40
    spool.close()


def test_a_spool_belongs_to_one_sender(tmp_path: Path, spool: Spool) -> None:
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Spool(tmp_path / "spool.db", "agent-1", BIG).open()
    spool.close()
    with pytest.raises(WrongOwner):
        Spool(tmp_path / "spool.db", "agent-2", BIG).open()


def test_a2_a_torn_log_loses_whole_commits_cleanly(tmp_path: Path) -> None:
    """The write-ahead log cut at every 97th byte of its last commits, and at each of its last 200 bytes."""
    path = tmp_path / "spool.db"
    spool = Spool(path, "agent-1", BIG)
    spool.open()
    for number in range(6):
        spool.add([item(b"%d-%d" % (number, part)) for part in range(3)])
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("spool.db", "spool.db-wal"):
        shutil.copy(tmp_path / name, copy / name)
    spool.close()
    size = (copy / "spool.db-wal").stat().st_size
    for cut in sorted({*range(max(0, size - 15_000), size, 97), *range(size - 200, size)}):
        torn = tmp_path / "torn"
        shutil.copytree(copy, torn)
        with (torn / "spool.db-wal").open("r+b") as file:
            file.truncate(cut)
        reopened = Spool(torn / "spool.db", "agent-1", BIG)
        reopened.open()
        found = values(reopened)
        assert len(found) % 3 == 0
        assert found == [b"%d-%d" % (number, part) for number in range(len(found) // 3) for part in range(3)]
        reopened.close()
        shutil.rmtree(torn)


@pytest.mark.usefixtures("usual_umask")
def test_a2_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path, "agent-1", BIG)
    spool.open()
    spool.add([item(b"x" * 1000) for _ in range(200)])
    spool.close()
    with path.open("r+b") as file:
        for page in range(2, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 64)
    fresh = Spool(path, "agent-1", BIG)
    fresh.open()
    assert values(fresh) == []
    fresh.add([item(b"new")])
    assert values(fresh) == [b"new"]
    assert set(modes(tmp_path).values()) == {"0o600"}
    fresh.close()
    assert len(list(tmp_path.glob("spool.db.damaged-*"))) == 1


@pytest.mark.usefixtures("usual_umask")
def test_only_its_owner_reads_the_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", "agent-1", BIG)
    spool.open()
    spool.add([item(b"a name")])
    found = modes(tmp_path)
    assert {"spool.db", "spool.db-wal"} <= set(found)
    assert set(found.values()) == {"0o600"}
    spool.close()


@pytest.mark.usefixtures("usual_umask")
def test_a_spool_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    """Files of an earlier version, left by a kill."""
    spool = Spool(tmp_path / "spool.db", "agent-1", BIG)
    spool.open()
    spool.add([item(b"a name")])
    left = tmp_path / "left"
    left.mkdir()
    for name in ("spool.db", "spool.db-wal"):
        shutil.copy(tmp_path / name, left / name)
        (left / name).chmod(0o644)
    (left / "spool.db-shm").touch(0o644)
    spool.close()
    later = Spool(left / "spool.db", "agent-1", BIG)
    later.open()
    assert values(later) == [b"a name"]
    assert set(modes(left).values()) == {"0o600"}
    later.close()


def test_a_second_opening_leaves_the_lock_to_the_first(tmp_path: Path, spool: Spool) -> None:
    """Of this process the second, and then one of another process: POSIX locks go when any descriptor is closed."""
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Spool(tmp_path / "spool.db", "agent-1", BIG).open()
    opening = "import sys, sqlite3; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT * FROM outbox')"
    other = subprocess.run(
        [sys.executable, "-c", opening, str(tmp_path / "spool.db")], capture_output=True, text=True, check=False
    )
    assert "database is locked" in other.stderr


WRITER = """
import sys, time
from pathlib import Path
from services.ingest.agent.spool import Item, Rank, Spool
spool = Spool(Path(sys.argv[1]), "agent-1", 10**9)
spool.open()
sent = 0
while True:
    spool.add([Item("session", Rank.END, b"%d" % (sent + part), time.time()) for part in range(3)])
    sent += 3
    print(sent, flush=True)
    if sent % 9 == 0:
        gone = spool.oldest(3, 10**9)
        spool.forget([item.row for item in gone])
        print("forgot", int(gone[-1].value) + 1, flush=True)
"""


@pytest.mark.parametrize("number", range(6))
def test_a2_a_kill_loses_nothing_that_was_accepted(tmp_path: Path, number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "spool.db")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5 + 13 * number)]
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    accepted = max((int(line) for line in lines if line.strip().isdigit()), default=0)
    forgotten = max((int(line.split()[1]) for line in lines if line.startswith("forgot ")), default=0)
    spool = Spool(tmp_path / "spool.db", "agent-1", BIG)
    spool.open()
    found = [int(value) for value in values(spool)]
    spool.close()
    assert found == list(range(found[0], found[-1] + 1))
    assert forgotten <= found[0] <= forgotten + 3
    assert accepted - 1 <= found[-1] <= accepted + 2


class SpoolMachine(RuleBasedStateMachine):
    """A3: the spool equals its model, over reopening and forgetting."""

    @initialize()
    def start(self) -> None:
        import tempfile

        self.folder = Path(tempfile.mkdtemp())
        self.spool = Spool(self.folder / "spool.db", "agent-1", BIG)
        self.spool.open()
        self.model: list[tuple[int, bytes]] = []
        self.number = 0

    @rule(ranks=st.lists(st.sampled_from(list(Rank)), max_size=5))
    def add(self, ranks: list[Rank]) -> None:
        items = []
        for rank in ranks:
            self.number += 1
            items.append(item(b"%d" % self.number, rank, "log" if rank is Rank.LOG else "session"))
        self.spool.add(items)
        self.model += [(each.lane, each.value) for each in items]

    @rule(count=st.integers(1, 4))
    def forget(self, count: int) -> None:
        gone = self.spool.oldest(count, BIG)
        self.spool.forget([each.row for each in gone if each.row is not None])
        values = {each.value for each in gone}
        self.model = [each for each in self.model if each[1] not in values]

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.spool = Spool(self.folder / "spool.db", "agent-1", BIG)
        self.spool.open()

    @invariant()
    def equal(self) -> None:
        if hasattr(self, "spool"):
            assert values(self.spool) == [value for _, value in sorted(self.model, key=lambda each: each[0])]
            assert self.spool.events == len(self.model)
            assert self.spool.bytes == sum(len(value) for _, value in self.model)

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
            shutil.rmtree(self.folder)


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


async def test_a4_a_disk_that_refuses_costs_nothing_but_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(tmp_path / "spool.db", "agent-1", BIG, lambda kind, value: None)
    await outbox.open()
    writing = asyncio.create_task(outbox.keep_writing())

    def full(items: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(outbox._spool, "add", full)
        outbox.put(item(b"1"))
        outbox.put(item(b"2"))
        async with asyncio.timeout(60):
            while outbox.trouble is None:
                await asyncio.sleep(0.01)
            found = await outbox.oldest(10, BIG)
        assert [each.value for each in found] == [b"1", b"2"]
        await outbox.forget(found[:1])
        assert outbox.pending == 1
    async with asyncio.timeout(60):
        await outbox.put(item(b"3"))
        while outbox.trouble is not None:
            await asyncio.sleep(0.01)
    assert [each.value for each in await outbox.oldest(10, BIG)] == [b"2", b"3"]
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await outbox.close()


async def test_a4_a_disk_that_hangs_never_blocks_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(tmp_path / "spool.db", "agent-1", BIG, lambda kind, value: None)
    await outbox.open()
    writing = asyncio.create_task(outbox.keep_writing())
    add = outbox._spool.add

    hangs, goes_on = threading.Event(), threading.Event()

    def hanging(items: Any) -> Any:
        hangs.set()
        assert goes_on.wait(60), "the loop waited for the disk"
        return add(items)

    monkeypatch.setattr(outbox._spool, "add", hanging)
    done = outbox.put(item(b"1"))
    while not hangs.is_set():
        await asyncio.sleep(0.001)
    assert not done.done()
    goes_on.set()
    await done
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await outbox.close()


async def test_a4_memory_is_bounded_and_what_is_lost_is_counted(tmp_path: Path) -> None:
    lost: list[str] = []
    outbox = Outbox(tmp_path / "spool.db", "agent-1", BIG, lambda kind, value: lost.append(kind))
    for _ in range(20):  # nobody writes
        outbox.put(item(b"x" * 1_000_000, Rank.LOG, "log"))
        outbox.put(item(b"end"))
    assert outbox.dropped == {"log": lost.count("log")}
    assert set(lost) == {"log"}
    assert outbox.pending == 40 - len(lost)
    await outbox.open()
    await outbox.close()


async def test_a4_what_is_being_written_is_not_dropped_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is slow: what it has in hand will be sent, so it may not be counted as lost."""
    lost: list[bytes] = []
    outbox = Outbox(tmp_path / "spool.db", "agent-1", BIG, lambda kind, value: lost.append(value[:6]))
    await outbox.open()
    add, is_writing, may_end = outbox._spool.add, threading.Event(), threading.Event()

    def slow(items: Any) -> Any:
        is_writing.set()
        assert may_end.wait(60)
        return add(items)

    monkeypatch.setattr(outbox._spool, "add", slow)
    writing = asyncio.create_task(outbox.keep_writing())
    for number in range(15):
        outbox.put(item(b"log %02d" % number + b"x" * 1_000_000, Rank.LOG, "log"))
    assert await asyncio.to_thread(is_writing.wait, 60)
    for number in range(15, 35):
        outbox.put(item(b"log %02d" % number + b"x" * 1_000_000, Rank.LOG, "log"))
    may_end.set()
    await outbox.put(item(b"end"))
    assert lost == [b"log %02d" % number for number in range(15, 19)]
    assert outbox.dropped == {"log": 4}
    kept = [each.value[:6] for each in await outbox.oldest(100, BIG)]
    assert kept == [b"end", *(b"log %02d" % number for number in range(35) if not 15 <= number < 19)]
    assert outbox.pending == 32
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await outbox.close()


async def test_a4_what_the_disk_did_not_take_is_bounded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[bytes] = []
    outbox = Outbox(tmp_path / "spool.db", "agent-1", BIG, lambda kind, value: lost.append(value[:6]))
    await outbox.open()
    is_writing, may_end = threading.Event(), threading.Event()

    def full(items: Any) -> Any:
        is_writing.set()
        assert may_end.wait(60)
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(outbox._spool, "add", full)
        writing = asyncio.create_task(outbox.keep_writing())
        for number in range(30):
            outbox.put(item(b"log %02d" % number + b"x" * 1_000_000, Rank.LOG, "log"))
            if number == 14:
                assert await asyncio.to_thread(is_writing.wait, 60)
        assert lost == []
        may_end.set()
        async with asyncio.timeout(60):
            while outbox.trouble is None:
                await asyncio.sleep(0.01)
        assert lost == [b"log %02d" % number for number in range(14)]
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await outbox.close()


async def test_what_waits_is_counted_while_the_thread_takes_others_off_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(tmp_path / "spool.db", "agent-1", BIG, lambda kind, value: None)
    await outbox.open()
    writing = asyncio.create_task(outbox.keep_writing())
    await asyncio.gather(*(outbox.put(item(b"{}")) for _ in range(2)))
    deleted, goes_on = threading.Event(), threading.Event()
    delete = Spool.forget

    def held(spool: Spool, rows: Iterable[int]) -> None:
        delete(spool, rows)
        deleted.set()
        assert goes_on.wait(60)

    monkeypatch.setattr(Spool, "forget", held)
    forgetting = asyncio.create_task(outbox.forget(await outbox.oldest(1, BIG)))
    await asyncio.to_thread(deleted.wait, 60)
    assert outbox.pending == 1, "it was counted off twice, and a reporter left with its last event unsent"
    goes_on.set()
    await forgetting
    assert outbox.pending == 1
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await outbox.close()


@pytest.mark.usefixtures("usual_umask")
async def test_a7_the_reject_file_says_why(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "spool.db", "agent-1", BIG, lambda kind, value: None)
    await outbox.open()
    writing = asyncio.create_task(outbox.keep_writing())
    await outbox.put(item(b'{"id": "1"}'))
    [found] = await outbox.oldest(10, BIG)
    await outbox.refuse(found, Outcome(Fate.REFUSED, 422, "bad_value", "/data/status", "one of running"))
    assert await outbox.oldest(10, BIG) == []
    line = (tmp_path / "spool.db.rejects.jsonl").read_text()
    for part in ("422", "bad_value", "/data/status", "one of running", r"{\"id\": \"1\"}"):
        assert part in line
    assert outbox.set_aside == {"bad_value": 1}
    assert set(modes(tmp_path).values()) == {"0o600"}
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await outbox.close()
