"""The agent library against the real gateway, and straight to Kafka: one suite for both ways (A9)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from schemas.events import Direction, Failure, LogData, LogLevel, LogLine, Operation, SessionStatus, decode
from services.ingest.agent import HttpTransport, KafkaTransport, Reporter, Transport
from services.ingest.agent.transport import Fate
from tests.corpus.poison import corpus


@pytest.fixture(params=["http", "kafka"])
def transport(request: pytest.FixtureRequest, rig: Any, topics: Any, url: str) -> Transport:
    if request.param == "http":
        return HttpTransport(url, rig.own.token)
    return KafkaTransport(topics.bootstrap, topics.prefix)


@pytest.fixture
def reporter(transport: Transport, rig: Any, tmp_path: Path) -> Reporter:
    return Reporter(
        transport, agent_id="agent-1", organization_id=rig.own.organization_id, spool_path=tmp_path / "spool.db",
        version="1.0", spread_s=0.1,
    )  # fmt: skip


async def events(records: Callable[..., Any], *topics: str) -> list[Any]:
    return [decode(record.value) for topic in topics for record in await records(topic)]


async def test_a9_a_session_arrives_whole(reporter: Reporter, records: Callable[..., Any], rig: Any) -> None:
    user = uuid4()
    async with reporter:
        async with reporter.session(user, interval_s=1800, mail_system="caldav") as session:
            session.count("appointment", Direction.MAIL_TO_CRM, fetched=10, created=2)
            session.count("appointment", Direction.MAIL_TO_CRM, updated=1)
            session.issue(
                object_type="appointment", object_name="Budget", direction=Direction.CRM_TO_MAIL,
                operation=Operation.CREATE, error_code=1, error_text="locked",
            )  # fmt: skip
            session.log(LogLevel.INFO, "engine", "ten found")
            session.spent("mail", 1.5)
        await reporter.directory(kind="user", user_id=user, email="ann@example.org", revision=1)
        assert await reporter.drained(60)
        figures = reporter.figures()
    assert figures.acknowledged == {"session": 2, "issue": 1, "log": 1, "directory": 1}
    assert figures.set_aside == figures.dropped == {}
    found = await events(records, "syncwatch.events")
    sessions = [event.data for event in found if event.type == "syncwatch.session.v1"]
    assert [data.status for data in sessions] == [SessionStatus.RUNNING, SessionStatus.FINISHED_WITH_ISSUES]
    end = sessions[-1]
    assert (end.objects[0].fetched, end.objects[0].created, end.objects[0].updated) == (10, 2, 1)
    assert (end.issues_sent, end.log_chunks_sent, end.durations.mail_s) == (1, 1, 1.5)
    [chunk] = [event.data for event in await events(records, "syncwatch.logs")]
    assert (chunk.chunk_no, chunk.first_line, chunk.final, chunk.lines[0].message) == (0, 1, True, "ten found")
    assert {record.key for record in await records("syncwatch.logs")} == {str(user).encode()}
    assert [beat.data.agent_id for beat in await events(records, "syncwatch.heartbeats")] == ["agent-1"]


async def test_an_exception_is_an_outcome_and_goes_on_its_way(reporter: Reporter, records: Callable[..., Any]) -> None:
    async def fail() -> None:
        async with reporter:
            try:
                async with reporter.session(uuid4()):
                    raise RuntimeError("mailbox gone\0\ud83d refresh_token=AAA")
            finally:
                await reporter.drained(60)  # who leaves waits 2 s; what is left then is sent after the next start

    with pytest.raises(RuntimeError, match="mailbox"):
        await fail()
    ends = [event.data for event in await events(records, "syncwatch.events")]
    assert ends[-1].status is SessionStatus.ERRORS
    assert (ends[-1].error.source, ends[-1].error.code) == ("connector", "RuntimeError")
    assert ends[-1].error.message == "mailbox gone\ufffd\ufffd refresh_token=[redacted]"
    assert "AAA" not in ends[-1].error.exception
    first, *calls = ends[-1].error.exception.splitlines()
    assert first == "RuntimeError: mailbox gone\ufffd\ufffd refresh_token=[redacted]"
    assert calls[-1].strip().startswith("raise RuntimeError(")
    assert str(Path.cwd()) not in ends[-1].error.exception


async def test_a_cancelled_session_is_told_as_cancelled(reporter: Reporter, records: Callable[..., Any]) -> None:
    begun = asyncio.Event()

    async def run() -> None:
        async with reporter.session(uuid4()):
            begun.set()
            await asyncio.Event().wait()

    async with reporter:
        task = asyncio.create_task(run())
        await begun.wait()
        assert await reporter.drained(60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await reporter.drained(60)
    statuses = [event.data.status for event in await events(records, "syncwatch.events")]
    assert statuses == [SessionStatus.RUNNING, SessionStatus.CANCELLED]


async def test_c07_c05_the_end_arrives_whatever_the_error_says(reporter: Reporter, records: Callable[..., Any]) -> None:
    border = "x" * (8 * 1024 - 1) + "😀" * 10
    trace = '\tat com.example.Sync\r\n"quoted" \\ \x1b[31m' * 4000
    async with reporter:
        async with reporter.session(uuid4()) as session:
            session.issue(
                object_type="email", object_name="s" * 511 + "😀 and more", direction=Direction.MAIL_TO_CRM,
                operation=Operation.UPDATE, error_code=3, error_text="\x00" + "語" * 9000,
            )  # fmt: skip
            session.fail(Failure(source="exchange", message=border, exception=trace))
            session.detail("語" * 1000)
        assert await reporter.drained(60)
        assert reporter.figures().set_aside == {}
    found = await events(records, "syncwatch.events")
    assert Counter(event.type for event in found) == {"syncwatch.session.v1": 2, "syncwatch.issue.v1": 1}
    end = next(event.data for event in found if event.type == "syncwatch.session.v1" and event.data.error)
    assert end.status is SessionStatus.ERRORS
    assert end.error.message.startswith("x" * 8000)
    assert "bytes cut]" in end.error.message
    issue = next(event.data for event in found if event.type == "syncwatch.issue.v1")
    assert len(issue.object_name) <= 512
    assert issue.object_name.endswith("more]")


async def test_c28_an_event_beyond_the_limit_is_set_aside_and_the_next_flow(
    reporter: Reporter, records: Callable[..., Any], rig: Any, tmp_path: Path
) -> None:
    async with reporter:
        async with reporter.session(uuid4()) as session:
            line = LogLine(at=session.started_at, level=LogLevel.INFO, message="x" * 300_000)
            await reporter.emit(
                LogData(
                    organization_id=rig.own.organization_id, user_id=uuid4(), session_id=session.session_id,
                    started_at=session.started_at, chunk_no=0, first_line=1, lines=(line,),
                )
            )  # fmt: skip
        assert await reporter.drained(60)
        assert reporter.figures().set_aside == {"too_large": 1}
    assert "too_large" in (tmp_path / "spool.db.rejects.jsonl").read_text()
    assert len(await records("syncwatch.events")) == 2


async def test_c28_the_direct_way_takes_what_the_contract_allows(topics: Any, records: Callable[..., Any]) -> None:
    kinds = {kind.name: kind.value or b"" for kind in corpus(uuid4(), datetime.now(UTC))}
    small = kinds["a member nobody knows"]
    transport = KafkaTransport(topics.bootstrap, topics.prefix)
    try:
        found = await transport.send([kinds["exactly 256 KiB"], kinds["a byte too many"], small])
    finally:
        await transport.close()
    assert [(outcome.fate, outcome.status) for outcome in found] == [
        (Fate.STORED, 202), (Fate.REFUSED, 413), (Fate.STORED, 202)
    ]  # fmt: skip
    stored = {record.value for record in await records("syncwatch.events")}
    assert stored == {kinds["exactly 256 KiB"], small}


async def test_c04_what_is_not_ours_is_set_aside_by_the_answer_and_the_rest_arrives(
    rig: Any, url: str, records: Callable[..., Any], tmp_path: Path
) -> None:
    async with Reporter(
        HttpTransport(url, rig.own.token), agent_id="agent-1", organization_id=rig.own.organization_id,
        spool_path=tmp_path / "spool.db", version="1.0", spread_s=0.1,
    ) as reporter:  # fmt: skip
        async with reporter.session(uuid4()), reporter.session(uuid4(), organization_id=rig.foreign.organization_id):
            pass
        assert await reporter.drained(60)
        figures = reporter.figures()
    assert figures.acknowledged == {"session": 2}
    assert figures.set_aside == {"foreign_organization": 2}
    aside = (tmp_path / "spool.db.rejects.jsonl").read_text().splitlines()
    assert len(aside) == 2
    assert all(str(rig.foreign.organization_id) in line for line in aside)
    stored = [decode(record.value) for record in await records("syncwatch.events")]
    assert {event.data.organization_id for event in stored} == {rig.own.organization_id}
    assert len(stored) == 2


async def test_a_long_log_is_cut_into_chunks_without_a_hole(reporter: Reporter, records: Callable[..., Any]) -> None:
    async with reporter:
        async with reporter.session(uuid4()) as session:
            for number in range(3000):
                session.log("info", "mail", f"line {number} " + "y" * 200)
        assert await reporter.drained(60)
        assert reporter.figures().set_aside == {}
    chunks = sorted((event.data for event in await events(records, "syncwatch.logs")), key=lambda data: data.chunk_no)
    assert [chunk.chunk_no for chunk in chunks] == list(range(len(chunks)))
    assert len(chunks) > 2
    numbered = [chunk.first_line + index for chunk in chunks for index in range(len(chunk.lines))]
    assert numbered == list(range(1, 3001))
    assert chunks[-1].final
