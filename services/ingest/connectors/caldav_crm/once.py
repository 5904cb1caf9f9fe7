"""A counted run: so many sessions of all organizations, with faults, and then what the gateway has acknowledged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from random import Random
from typing import Any, Final
from uuid import UUID

from services.ingest.agent.http import HttpTransport
from services.ingest.connectors.caldav_crm.agent import Agent, opened_agent
from services.ingest.connectors.caldav_crm.hands import hands
from services.ingest.connectors.caldav_crm.life import Life, journal_of
from services.ingest.connectors.caldav_crm.script import Step, script
from services.ingest.connectors.caldav_crm.settings import OnceSettings
from services.ingest.connectors.caldav_crm.tally import CountingTransport, Tally
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS

log = logging.getLogger(__name__)

DRAIN_WITHIN_S: Final = 600.0
INTERVAL_S: Final = 1800.0
_SWITCHES: Final = {"switched_off", "organization_switched_off"}


class NotDrained(Exception):
    """The gateway did not take everything in time, or took something never."""


async def run(settings: OnceSettings, sessions: int, now: Callable[[], datetime]) -> dict[str, Any]:
    """Make exactly `sessions` sessions, wait until all is acknowledged, and return the tally's report."""
    tally = Tally()
    rng = Random(settings.life_seed)
    async with (
        hands(settings.state_dir, settings.crm_database_url, settings.caldav_url) as outer,
        _agents(settings, tally, now) as agents,
    ):
        life = Life(outer, journal_of(settings.state_dir), rng, now, time.monotonic)
        await life.mend_all()
        await _announce(agents.values())
        for number, step in enumerate(script(sessions, rng), start=1):
            outcome = await _take(step, life, agents)
            log.info("%d of %d: %s: %s", number, sessions, step.person.email, outcome, extra={"action": "stepped"})
        drained = await asyncio.gather(*(agent.reporter.drained(DRAIN_WITHIN_S) for agent in agents.values()))
    report = tally.report()
    if not all(drained) or report["refused"]:
        raise NotDrained(f"Not everything was acknowledged within {DRAIN_WITHIN_S:.0f} s: {report}")
    return report


async def _take(step: Step, life: Life, agents: Mapping[UUID, Agent]) -> str:
    """Play one step. Switches are turned and turned back before the session, which would not take place otherwise."""
    agent = agents[step.person.organization_id]
    if step.edits:
        await life.edit(step.person)
    begun = None if step.fault is None else await life.begin(step.fault, step.person)
    if begun is not None and step.fault in _SWITCHES:
        await agent.announce()
        await life.mend(begun)
        await agent.announce()
        begun = None
    outcome = await agent.run_pass(step.person)
    if begun is not None:
        await life.mend(begun)
    return f"{step.fault or 'plain'} → {outcome}"


async def _announce(agents: Iterable[Agent]) -> None:
    for agent in agents:
        await agent.announce()


@asynccontextmanager
async def _agents(
    settings: OnceSettings, tally: Tally, now: Callable[[], datetime]
) -> AsyncIterator[Mapping[UUID, Agent]]:
    """Open an agent per organization, all of them counted by `tally`; each has the token of its organization."""
    async with AsyncExitStack() as stack:
        agents = {}
        for organization in ORGANIZATIONS:
            token = (settings.agent_token_dir / organization.slug).read_text(encoding="utf-8").strip()
            transport = CountingTransport(HttpTransport(settings.gateway_url, token), tally)
            agents[organization.organization_id] = await stack.enter_async_context(
                opened_agent(
                    organization,
                    transport,
                    agent_id="",
                    state_dir=settings.state_dir,
                    crm_database_url=settings.crm_database_url,
                    caldav_url=settings.caldav_url,
                    interval_s=INTERVAL_S,
                    concurrency=1,
                    now=now,
                )
            )
        yield agents
