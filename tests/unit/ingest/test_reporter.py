"""A reporter that is left: in time whoever is away, and nothing of what it took is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from schemas.events import Actor, Failure, LogData, SessionData, SessionStatus, decode
from services.ingest.agent import HttpTransport, KafkaTransport, Reporter, Transport
from services.ingest.agent import background as background_module
from services.ingest.agent import outbox as outbox_module
from services.ingest.agent.spool import Spool
from services.ingest.agent.transport import Fate, NotNow, Outcome

ORGANIZATION = uuid4()
STOPPED_WITHIN_S = 5.0
SESSION = {
    "organization_id": ORGANIZATION, "user_id": uuid4(), "session_id": uuid4(), "started_at": datetime.now(UTC)
}  # fmt: skip


class Silent:
    """A transport whose other side takes the connection and never answers."""

    async def start(self) -> None: ...

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        await asyncio.sleep(3600)
        raise AssertionError

    async def close(self) -> None: ...


class Away(Silent):
    """A transport whose other side is not there."""

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        raise NotNow("nobody answers", 30.0)


class Ledger(Silent):
    """A transport that stores everything here."""

    def __init__(self) -> None:
        self.events: list[bytes] = []

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        self.events += values
        return [Outcome(Fate.STORED)] * len(values)


def reporter_of(transport: Transport, path: Path) -> Reporter:
    return Reporter(transport, agent_id="agent-1", organization_id=ORGANIZATION, spool_path=path, version="1")


async def killed_while_running(reporter: Reporter, session_ids: list[UUID]) -> None:
    """Leave a reporter as a process does that is told to stop in the middle of a session."""
    async with reporter, reporter.session(uuid4()) as session:
        session_ids.append(session.session_id)
        session.log("info", "mail", "one line")
        raise asyncio.CancelledError


@pytest.mark.parametrize(
    "away",
    [Silent(), Away(), HttpTransport("http://127.0.0.1:1", "swa_x"), KafkaTransport("127.0.0.1:1")],
    ids=["silent", "away", "no gateway", "no Kafka"],
)
async def test_a_reporter_is_left_in_time_when_the_other_side_is_away(away: Transport, tmp_path: Path) -> None:
    session_ids: list[UUID] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(asyncio.CancelledError):
        await killed_while_running(reporter_of(away, tmp_path / "spool.db"), session_ids)
    assert loop.time() - began < STOPPED_WITHIN_S

    ledger = Ledger()
    async with reporter_of(ledger, tmp_path / "spool.db") as later:
        assert await later.drained(60)
    sent = [decode(value) for value in ledger.events]
    states = [event.data for event in sent if event.type == "syncwatch.session.v1"]
    assert [data.status for data in states] == [SessionStatus.RUNNING, SessionStatus.CANCELLED]
    assert {data.session_id for data in states} == set(session_ids)
    assert [event.data.lines[0].message for event in sent if event.type == "syncwatch.log.v1"] == ["one line"]


async def test_a4_lines_that_had_to_make_room_are_told_in_the_next_chunk(tmp_path: Path) -> None:
    ledger = Ledger()
    async with Reporter(
        Away(), agent_id="agent-1", organization_id=ORGANIZATION, spool_path=tmp_path / "spool.db", version="1",
        spool_bytes=800_000,
    ) as reporter:  # fmt: skip
        async with reporter.session(uuid4()) as session:
            for number in range(800):
                session.log("info", "mail", f"{number} {'line ' * 1000}")
                if number % 20 == 0:
                    await asyncio.sleep(0.01)
        assert reporter.figures().dropped["log"] > 10
    async with reporter_of(ledger, tmp_path / "spool.db") as later:
        assert await later.drained(60)
    data = [decode(value).data for value in ledger.events]
    chunks = sorted((each for each in data if isinstance(each, LogData)), key=lambda chunk: chunk.chunk_no)
    [end] = [each for each in data if isinstance(each, SessionData) and each.ended_at]
    arrived = sum(len(chunk.lines) for chunk in chunks)
    told = sum(chunk.dropped_lines for chunk in chunks)
    assert chunks[-1].final
    assert 0 < arrived < 800
    assert told > 0
    assert end.log_chunks_dropped > 10
    missing = end.log_chunks_sent - len(chunks)
    assert missing >= end.log_chunks_dropped
    if missing == end.log_chunks_dropped:  # else one was dropped only after the session had ended
        assert arrived + told == 800


async def test_a4_what_the_last_chunk_pushes_out_of_memory_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written to disk here: the memory is all the room there is."""
    monkeypatch.setattr(outbox_module, "_MEMORY_BYTES", 800_000)
    reporter = reporter_of(Away(), tmp_path / "spool.db")
    async with reporter.session(uuid4()) as session:
        for number in range(500):
            session.log("info", "mail", f"{number} {'line ' * 1000}")
    kept = [decode(item.value).data for item, _ in reporter._outbox._tail]
    chunks = [each for each in kept if isinstance(each, LogData)]
    [end] = [each for each in kept if isinstance(each, SessionData) and each.ended_at]
    assert reporter.figures().dropped == {"log": end.log_chunks_dropped}
    assert end.log_chunks_dropped == end.log_chunks_sent - len(chunks) > 0
    assert sum(len(chunk.lines) + chunk.dropped_lines for chunk in chunks) == 500


class Stumbling(Ledger):
    """A transport with a bug that shows for as many batches as it is told; heartbeats pass."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        if self.times and b"heartbeat" not in values[0]:
            self.times -= 1
            raise ZeroDivisionError("nobody foresaw this")
        return await super().send(values)


async def test_a_bug_in_the_background_is_told_and_reporting_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background_module, "_FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(background_module, "_LONGEST_WAIT_S", 0.5)
    transport = Stumbling(2)
    async with reporter_of(transport, tmp_path / "spool.db") as reporter:
        async with reporter.session(uuid4()):
            pass
        async with asyncio.timeout(60):
            while transport.times:
                await asyncio.sleep(0.01)
        assert reporter.figures().trouble == "sending failed: ZeroDivisionError: nobody foresaw this"
        assert await reporter.drained(60)
        assert reporter.figures().acknowledged == {"session": 2}
        assert reporter.figures().trouble is not None  # it may come again
        async with asyncio.timeout(60):
            while reporter.figures().trouble:
                await asyncio.sleep(0.01)
    told = [record for record in caplog.records if getattr(record, "action", None) == "task_failed"]
    assert [(record.task, record.seconds) for record in told] == [("sending", 0.05), ("sending", 0.1)]
    assert all(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in told)


async def test_what_was_being_written_when_a_bug_showed_is_written_without_another_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_module, "_FIRST_WAIT_S", 0.05)
    async with reporter_of(Away(), tmp_path / "spool.db") as reporter:
        with monkeypatch.context() as patch:
            patch.delattr(Spool, "add")
            done = reporter._emit_soon(LogData(**SESSION, chunk_no=0, first_line=1))
            async with asyncio.timeout(60):
                while reporter.figures().trouble is None:
                    await asyncio.sleep(0.01)
            assert "writing failed: AttributeError" in (reporter.figures().trouble or "")
        async with asyncio.timeout(60):
            await done


SECRETS = "refresh_token=1//0gAAA&client_secret=GOCSPX-BBB Authorization: Bearer eyJCCC https://u:DDD@dav.example.org/"


async def failing_with(said: str, reporter: Reporter) -> None:
    """Say something in every place that a session has for texts, and fail with it."""
    async with reporter.session(uuid4(), mail_system="cal\0dav") as session:
        session.log("error", "mail", said, said)
        session.detail(said)
        session.issue(
            object_type="e\0mail", object_name="Bud\0get", object_id="\0", direction="mail_to_crm",
            operation="create", error_code=1, error_text=said, error=Failure(message=said, exception=said),
        )  # fmt: skip
        raise RuntimeError(said)


async def test_c33_c09_no_text_leaves_with_a_secret_or_a_nul(tmp_path: Path) -> None:
    ledger = Ledger()
    async with reporter_of(ledger, tmp_path / "spool.db") as reporter:
        with pytest.raises(RuntimeError):
            await failing_with(f"{SECRETS} for ann@example.org\0", reporter)
        await reporter.directory(
            kind="user", user_id=uuid4(), revision=1, display_name="Ann\0Lee", disabled_reason="man\0ual",
            actor=Actor(type="admin", id="ann\0lee"),
        )  # fmt: skip
        assert await reporter.drained(60)
        assert reporter.figures().set_aside == {}
    sent = [decode(value) for value in ledger.events]
    kinds = Counter(event.type for event in sent if event.type != "syncwatch.heartbeat.v1")
    assert kinds == {
        "syncwatch.session.v1": 2, "syncwatch.log.v1": 1, "syncwatch.issue.v1": 1, "syncwatch.directory.v1": 1
    }  # fmt: skip
    everything = b"".join(ledger.events)
    for secret in (b"AAA", b"BBB", b"CCC", b"DDD", b"\\u0000"):
        assert secret not in everything
    assert everything.count(b"ann@example.org") == 8  # addresses stay: who may see them is decided when they are shown


async def test_a_log_line_tells_the_names_that_it_holds(tmp_path: Path) -> None:
    ledger = Ledger()
    async with reporter_of(ledger, tmp_path / "spool.sqlite") as reporter, reporter.session(uuid4()) as session:
        session.log("info", "crm", "copied 312 objects")
        session.log("warning", "crm", "not done: Review", "Refused: Review", names=["Review"])
        many = [f"number {at}." for at in range(30)]
        session.log("warning", "crm", " ".join(many), " ".join(many), names=many)
        session.log("info", "mail", "x" * 20_000, "\x01" * 50_000, names=["\x01" * 512] * 20 + ["y" * 512] * 20)
    sent = [data for event in ledger.events if isinstance(data := decode(event).data, LogData)]
    lines = [line for data in sent for line in data.lines]
    assert [line.names for line in lines[:2]] == [(), ("Review",)]
    assert len(lines[2].names) == 20
    for text in (lines[2].message, lines[2].exception or ""):
        assert "number 19." in text
        assert "number 20." not in text
    assert len(lines) == 4
