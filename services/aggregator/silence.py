"""Silent agents, and whether their silence is rather our own fault. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from schemas.status import SILENT_AFTER

TOGETHER: Final = timedelta(minutes=5)
LEAST_AGENTS: Final = 3
LEAST_ORGANIZATIONS: Final = 2
CATCHING_UP: Final = timedelta(minutes=5)
"""How long agents are given to hand in what they kept while nobody could reach Kafka."""
LOOK_AGAIN: Final = timedelta(seconds=30)


class Heard(NamedTuple):
    """When an agent's newest heartbeat was appended."""

    agent_id: str
    organization_id: UUID | None
    heard_at: datetime


def silent_agents(agents: Sequence[Heard], now: datetime) -> frozenset[str]:
    """Return the agents of which no heartbeat was appended for `SILENT_AFTER`."""
    return frozenset(agent.agent_id for agent in agents if agent.heard_at < now - SILENT_AFTER)


def is_our_fault(agents: Sequence[Heard], now: datetime) -> bool:
    """Whether more than half of all agents - at least three, of two organizations - fell silent within five minutes."""
    silent = sorted(
        (agent for agent in agents if agent.heard_at < now - SILENT_AFTER), key=lambda agent: agent.heard_at
    )
    first = 0
    for last, agent in enumerate(silent):
        while agent.heard_at - silent[first].heard_at > TOGETHER:
            first += 1
        together = silent[first : last + 1]
        if (
            len(together) >= LEAST_AGENTS
            and len(together) * 2 > len(agents)
            and len({each.organization_id for each in together}) >= LEAST_ORGANIZATIONS
        ):
            return True
    return False


def late_not_before(agents: Sequence[Heard], now: datetime, resumed_at: datetime | None) -> datetime | None:
    """Return until when nobody becomes late, as what we have not heard may be our own fault; None: judge."""
    if is_our_fault(agents, now):
        return now + LOOK_AGAIN
    if resumed_at is not None and now < resumed_at + CATCHING_UP:
        return resumed_at + CATCHING_UP
    return None
