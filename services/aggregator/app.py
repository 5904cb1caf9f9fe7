"""The faust app: group membership and rebalances are Faust's, records and positions are ours (`intake`)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faust

from services.aggregator.intake import Intake
from services.aggregator.transport import Consumer, Transport
from services.common.kafka import MAX_FETCH_BYTES

LOG: Final = logging.getLogger(__name__)

GROUP: Final = "syncwatch-aggregator"
SESSION_TIMEOUT_S: Final = 6.0
"""After so long without a heartbeat a worker is given up. Whatever holds a lock in Postgres must be cut off before."""
REQUEST_TIMEOUT_S: Final = 10.0
RECORDS_A_FETCH: Final = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """How a worker takes part in the group."""

    bootstrap: str
    group: str
    topics: tuple[str, ...]
    data_dir: Path
    instance: str | None
    """Set for static membership: a restart within the session time-out moves no partition."""


class App(faust.App):
    """Faust's app with our transport and our intake."""

    intake: Intake

    def _new_transport(self) -> Any:
        return Transport(self.conf.broker_consumer, self)


def build(membership: Membership, intake: Intake) -> App:
    """Return a fresh app that feeds `intake`."""
    servers = [server.strip() for server in membership.bootstrap.split(",") if server.strip()]
    app = App(
        membership.group,
        broker=[f"kafka://{server}" for server in servers],
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=1.0,
        broker_request_timeout=REQUEST_TIMEOUT_S,
        broker_rebalance_timeout=30.0,
        broker_max_poll_interval=86_400.0,  # an outage of Postgres is waited out in place, however long
        broker_max_poll_records=RECORDS_A_FETCH,
        consumer_max_fetch_size=MAX_FETCH_BYTES,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=membership.instance,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        stream_wait_empty=False,
        store="memory://",
        datadir=str(membership.data_dir),
        value_serializer="raw",
        key_serializer="raw",
        web_enabled=False,
    )
    app.intake = intake
    topic = app.topic(*membership.topics, key_type=bytes, value_type=bytes, internal=True)
    app.agent(topic, name="subscription")(_never_called)
    return app


async def _never_called(stream: Any) -> None:
    """Keep Faust subscribed to the topics; no message takes this way."""
    async for _ in stream:
        raise AssertionError("a message came by Faust's way")


async def serve(membership: Membership, intake: Intake, stop: asyncio.Event, *, patient: Any) -> None:
    """Run the app until `stop` is set, then leave the group. Raises what made it crash.

    `patient` starts it again where Kafka went away meanwhile: a fresh one each time, as Faust starts none twice.
    """
    app: App = await patient(lambda: _started(membership, intake))
    stopping = asyncio.create_task(stop.wait())
    crashed = asyncio.create_task(_crash(app))
    try:
        done, _ = await asyncio.wait({stopping, crashed}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        stopping.cancel()
        crashed.cancel()
        consumer = app.consumer
        if app.conf.consumer_group_instance_id and isinstance(consumer, Consumer):
            await consumer.leave_group()
        await app.stop()


async def _started(membership: Membership, intake: Intake) -> App:
    app = build(membership, intake)
    try:
        await app.start()
    except BaseException:
        await app.stop()
        raise
    return app


async def _crash(app: App) -> None:
    await app._crashed.wait()
    raise app.crash_reason or RuntimeError("the app crashed")
