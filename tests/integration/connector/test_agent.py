"""The agent of one organization, with a transport that only takes down what it is given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from schemas.events import DirectoryEvent, LogEvent, SessionData, SessionEvent, decode
from services.common.health import Health
from services.ingest.agent.transport import Fate, Outcome
from services.ingest.connectors.caldav_crm import accounts
from services.ingest.connectors.caldav_crm import agent as agent_module
from services.ingest.connectors.caldav_crm.agent import PASS_DEADLINE, Agent, opened_agent
from services.ingest.connectors.caldav_crm.hands import hands
from services.ingest.connectors.caldav_crm.sessionlog import listening
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS
from tests.rig.outside import PATIENCE_S, Outside

PEOPLE = ORGANIZATIONS[0].people


class Ledger:
    """A transport that stores everything here."""

    def __init__(self) -> None:
        self.events: list[object] = []

    async def start(self) -> None: ...

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        self.events += map(decode, values)
        return [Outcome(Fate.STORED)] * len(values)

    async def close(self) -> None: ...

    def ends(self) -> list[SessionData]:
        """The last states of the sessions, in the order they ended."""
        return [event.data for event in self.events if isinstance(event, SessionEvent) and event.data.ended_at]

    def flags(self) -> list[DirectoryEvent]:
        return [event for event in self.events if isinstance(event, DirectoryEvent)]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def agent(outside: Outside, ledger: Ledger) -> AsyncIterator[Agent]:
    async with opened_agent(
        ORGANIZATIONS[0],
        ledger,
        agent_id="",
        state_dir=outside.state_dir,
        crm_database_url=outside.crm_url,
        caldav_url=outside.caldav_url,
        interval_s=3.0,
        concurrency=2,
        now=lambda: datetime.now(UTC),
    ) as opened:
        with listening():
            yield opened


async def test_a_first_pass_says_so_and_what_is_left_of_its_time(agent: Agent, ledger: Ledger) -> None:
    assert [await agent.run_pass(PEOPLE[0]) for _ in range(2)] == ["finished", "finished"]
    assert await agent.reporter.drained(PATIENCE_S)
    first, second = ledger.ends()
    assert [(data.trigger, data.mode) for data in (first, second)] == [("initial", "full"), ("schedule", "incremental")]
    assert (first.mail_system, first.crm_system, first.interval_s) == ("caldav", "postgres_crm", 3)
    assert first.deadline_at is not None
    assert PASS_DEADLINE - timedelta(seconds=5) < first.deadline_at - first.started_at <= PASS_DEADLINE
    assert first.durations is not None
    assert first.log_chunks_sent == sum(
        isinstance(event, LogEvent) and event.data.session_id == first.session_id for event in ledger.events
    )


async def test_a_password_nobody_told_us_is_a_matter_of_configuration(
    agent: Agent, ledger: Ledger, outside: Outside
) -> None:
    path = accounts.known_file(outside.state_dir)
    known = accounts.read_known(outside.state_dir)
    path.write_bytes(orjson.dumps({login: word for login, word in known.items() if login != PEOPLE[1].login}))
    try:
        assert await agent.run_pass(PEOPLE[1]) == "errors"
    finally:
        path.write_bytes(orjson.dumps(known))
    assert await agent.reporter.drained(PATIENCE_S)
    (data,) = ledger.ends()
    assert data.error is not None
    assert (data.error.source, data.error.category) == ("connector", "configuration")


async def test_c08_a_bug_of_ours_ends_one_session_and_not_the_agent(
    agent: Agent, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(agent_module, "sync_person", broken)
        assert await agent.run_pass(PEOPLE[2]) == "errors"
    assert await agent.run_pass(PEOPLE[2]) == "finished"
    assert await agent.reporter.drained(PATIENCE_S)
    data, _ = ledger.ends()
    assert data.error is not None
    assert (data.error.source, data.error.category, data.error.code) == ("connector", "internal", "ZeroDivisionError")
    assert "in broken" in (data.error.exception or "")


async def test_a_pass_that_is_interrupted_was_cancelled(
    agent: Agent, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def endless(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(agent_module, "sync_person", endless)
    running = asyncio.create_task(agent.run_pass(PEOPLE[3]))
    await begun.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert await agent.reporter.drained(PATIENCE_S)
    assert [data.status.value for data in ledger.ends()] == ["cancelled"]


async def test_the_directory_is_told_whole_once_and_then_only_what_changed(
    agent: Agent, ledger: Ledger, outside: Outside
) -> None:
    await agent.announce()
    await agent.announce()
    assert await agent.reporter.drained(PATIENCE_S)
    assert len(ledger.flags()) == 1 + len(PEOPLE)
    async with hands(outside.state_dir, outside.crm_url, outside.caldav_url) as outer:
        await outer.switch_seat(PEOPLE[4], on=False, reason="manual")
        off = await agent.announce()
        await outer.switch_seat(PEOPLE[4], on=True)
        on = await agent.announce()
    assert PEOPLE[4] not in off.to_synchronize
    assert PEOPLE[4] in on.to_synchronize
    assert await agent.reporter.drained(PATIENCE_S)
    *_, told_off, told_on = (event.data for event in ledger.flags())
    assert (told_off.user_id, told_off.sync_enabled, told_off.disabled_reason) == (PEOPLE[4].user_id, False, "manual")
    assert told_off.actor is not None
    assert (told_off.actor.type, told_on.sync_enabled) == ("admin", True)
    assert told_on.disabled_reason is None
    assert told_on.revision > told_off.revision


async def test_who_is_switched_off_is_left_alone_while_the_others_go_on(
    agent: Agent, ledger: Ledger, outside: Outside
) -> None:
    stop, health = asyncio.Event(), Health("crm")
    async with hands(outside.state_dir, outside.crm_url, outside.caldav_url) as outer:
        await outer.switch_seat(PEOPLE[5], on=False, reason="manual")
        serving = asyncio.create_task(agent.serve(2, health, stop))
        until = time.monotonic() + PATIENCE_S
        while len({data.user_id for data in ledger.ends()}) < len(PEOPLE) - 1:
            assert time.monotonic() < until
            assert not serving.done()
            await asyncio.sleep(0.05)
        stop.set()
        await serving
        await outer.switch_seat(PEOPLE[5], on=True)
    assert health.problems() == {}
    assert PEOPLE[5].user_id not in {data.user_id for data in ledger.ends()}
