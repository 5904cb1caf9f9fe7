"""A reporter that is left: in time whoever is away, and nothing of what it took is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from schemas.events import SessionStatus, decode
from services.ingest.agent import HttpTransport, KafkaTransport, Reporter, Transport
from services.ingest.agent.transport import Fate, NotNow, Outcome

ORGANIZATION = uuid4()
STOPPED_WITHIN_S = 5.0


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
        assert await later.drained(30)
    sent = [decode(value) for value in ledger.events]
    states = [event.data for event in sent if event.type == "syncwatch.session.v1"]
    assert [data.status for data in states] == [SessionStatus.RUNNING, SessionStatus.CANCELLED]
    assert {data.session_id for data in states} == set(session_ids)
    assert [event.data.lines[0].message for event in sent if event.type == "syncwatch.log.v1"] == ["one line"]
