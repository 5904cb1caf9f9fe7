"""The leader: the one process that does what nobody owns. It leads while its connection holds an advisory lock.

All its work runs on that very connection, so whoever has lost the lock can do nothing in its name any more.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from schemas.retention import KEPT, Kept
from schemas.sql import named_queries
from schemas.status import GONE_AFTER, SILENT_AFTER
from schemas.topics import EVENTS
from schemas.vocabulary import ERROR_CATEGORY, ERROR_SOURCE
from services.aggregator.figures import store_figures, store_last_day
from services.aggregator.gauges import LeaderGauges
from services.aggregator.relay import AT_ONCE, relay
from services.aggregator.retention import cut_exports, drop_past, fold_hours, make_days
from services.common.patience import is_outage
from services.common.pool import UNANSWERED_S

LOG: Final = logging.getLogger(__name__)
_SQL: Final = named_queries("leader")

LOCK: Final = 0x53594E43_4C454144
STAND_BY_S: Final = 2.0
"""How often somebody who does not lead tries to."""
KAFKA_PATIENCE_S: Final = 5.0
"""How long the other duties wait for Kafka."""
LOST_FOR: Final = timedelta(days=1)
"""How long an alert tells of lost records: somebody looks once a day."""
_RELAYS_A_TURN: Final = 10
_SHARE: Final = 20
"""A duty that takes long is done less often: it shall take a twentieth of the time at most."""


@dataclass(slots=True)
class Duty:
    """Something to be done every `period_s` seconds."""

    do: Callable[[], Awaitable[None]]
    period_s: float
    next_at: float = 0.0

    async def run_if_due(self, clock: Callable[[], float]) -> None:
        """Do it where its time has come."""
        started = clock()
        if started < self.next_at:
            return
        await self.do()
        self.next_at = started + max(self.period_s, _SHARE * (clock() - started))


@dataclass(slots=True, kw_only=True)
class Reign:
    """What the leader does, on the connection that holds the lock."""

    connection: Any
    producer: AIOKafkaProducer
    gauges: LeaderGauges
    wall: Callable[[], datetime]
    topic_prefix: str = ""
    kept: Kept = KEPT

    def duties(self) -> list[Duty]:
        """Return all duties, none done yet."""
        return [
            Duty(self.relay, 0.2),
            Duty(self.figures, 1.0),
            Duty(self.days, 600.0),
            Duty(self.last_day, 10.0),
            Duty(self.agents, 5.0),
            Duty(self.show, 5.0),
            Duty(self.failing, 5.0),
            Duty(self.hours, 600.0),
            Duty(self.past, 3600.0),
        ]

    async def now(self) -> datetime | None:
        """Return the append time applied furthest; None where nothing was ever applied."""
        now: datetime | None = await self.connection.fetchval(_SQL["clock"], self.topic_prefix + EVENTS.name)
        return now

    async def relay(self) -> None:
        """Publish status changes. While Kafka is away the other duties go on."""
        try:
            for _ in range(_RELAYS_A_TURN):
                async with asyncio.timeout(KAFKA_PATIENCE_S):
                    if await relay(self.connection, self.producer, self.topic_prefix) < AT_ONCE:
                        return
        except (KafkaError, TimeoutError) as error:
            if not is_outage(error):
                raise
            LOG.warning("status changes wait for Kafka", extra={"action": "relay_waits"})

    async def figures(self) -> None:
        """Store the figures of organizations whose users have changed."""
        now = await self.now()
        if now is not None:
            await store_figures(self.connection, now)

    async def last_day(self) -> None:
        """Store the figures of the last 24 hours."""
        now = await self.now()
        if now is not None:
            await store_last_day(self.connection, now)

    async def days(self) -> None:
        """Make the days to come, and past ones that are missing."""
        self.gauges.show_days_ahead(await make_days(self.connection, self.wall().date(), self.kept))

    async def hours(self) -> None:
        """Fold hours that are over."""
        now = await self.now()
        if now is not None:
            await fold_hours(self.connection, now)

    async def past(self) -> None:
        """Drop what is kept no longer, and give up exports whose process ended."""
        now = await self.now()
        if now is not None:
            at = min(now, self.wall())
            await drop_past(self.connection, at, self.kept)
            await cut_exports(self.connection, at)

    async def agents(self) -> None:
        """Note which agents are out of use."""
        await self.connection.execute(_SQL["retire_agents"])

    async def show(self) -> None:
        """Set the gauges."""
        connection, gauges = self.connection, self.gauges
        gauges.show_users(dict(await connection.fetchrow(_SQL["users_by_status"])))
        gauges.show_organizations(dict(map(tuple, await connection.fetch(_SQL["organizations_by_health"]))))
        now = await self.now() or self.wall()
        gauges.show_agents(dict(await connection.fetchrow(_SQL["agents_heard"], now, SILENT_AFTER, GONE_AFTER)))
        lost = await connection.fetch(_SQL["lost_records"], self.wall() - LOST_FOR)
        gauges.show_lost(dict(map(tuple, lost)), self.topic_prefix)
        worst = await connection.fetch(_SQL["worst_organizations"])
        gauges.show_errors((str(row["organization_id"]), row["errors_24h"]) for row in worst)

    async def failing(self) -> None:
        """Set the gauges of users that fail now, by cause. A duty of its own: it takes longer the more fail."""
        rows = await self.connection.fetch(_SQL["failing_by_cause"], list(ERROR_SOURCE), list(ERROR_CATEGORY))
        self.gauges.show_failing(
            {(row["error_source"], row["error_category"]): (row["users"], row["organizations"]) for row in rows}
        )


async def run_leader(
    producer: AIOKafkaProducer,
    *,
    url: str,
    registry: CollectorRegistry,
    wall: Callable[[], datetime],
    patient: Callable[..., Awaitable[asyncpg.Connection]],
    topic_prefix: str = "",
) -> None:
    """Lead whenever nobody else does, until cancelled. An outage ends a reign; `patient` waits for the next."""
    gauges = LeaderGauges(registry)
    gauges.step_down()
    while True:
        connection = await patient(
            lambda: asyncpg.connect(url, timeout=10, server_settings=_SETTINGS, command_timeout=UNANSWERED_S)
        )
        try:
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
                await _lead(
                    Reign(
                        connection=connection, producer=producer, gauges=gauges, wall=wall,
                        topic_prefix=topic_prefix,
                    )
                )  # fmt: skip
        except Exception as error:
            if not is_outage(error):
                raise
            LOG.warning("leads no more: %s", type(error).__name__, extra={"action": "leader_gone"})
        finally:
            gauges.step_down()
            connection.terminate()
        await asyncio.sleep(STAND_BY_S)


_SETTINGS: Final = {
    "application_name": "syncwatch leader", "jit": "off", "timezone": "UTC", "statement_timeout": "120s",
    "idle_session_timeout": "15s",  # a leader that hangs is cut off, and with the lock goes all it could do
    "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
}  # fmt: skip


async def _lead(reign: Reign) -> None:
    LOG.info("leads now", extra={"action": "leader_elected"})
    reign.gauges.lead()
    duties = reign.duties()
    while True:
        for duty in duties:
            await duty.run_if_due(time.monotonic)
        await asyncio.sleep(0.1)
