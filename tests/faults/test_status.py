"""A real worker judges, lets time pass, leads and relays; when it dies, the other one leads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer

from schemas.events import TickData, decode_out, encode
from schemas.topics import EVENTS, STATUS
from services.common.kafka import client_options
from tests.faults.workers import Pipeline, until
from tests.rig.stream import session, through_the_wire


async def tick(pipeline: Pipeline) -> None:
    """Let time pass in every partition of the events."""
    for partition in range(EVENTS.partitions):
        data = TickData(gateway="gateway", sent_at=datetime.now(UTC))
        await pipeline.send_raw(EVENTS.name, encode(through_the_wire(data)), partition=partition)


async def test_status_goes_from_the_event_to_the_topic(pipeline: Pipeline) -> None:
    organization_id, fine, hanging = uuid4(), uuid4(), uuid4()
    now = datetime.now(UTC)
    about: dict[str, Any] = {"organization_id": organization_id, "started_at": now}
    workers = [pipeline.worker(name) for name in ("one", "two")]
    for worker in workers:
        worker.start()
    await pipeline.send(
        [
            session(uuid4(), user_id=fine, status="finished", **about),
            session(uuid4(), user_id=hanging, deadline_at=now + timedelta(seconds=1), **about),
        ]
    )

    async def judged() -> bool:
        await tick(pipeline)
        rows = await pipeline.rows("SELECT user_id, status FROM user_status")
        return {row["user_id"]: row["status"] for row in rows} == {fine: "healthy", hanging: "stuck"}

    await until(judged, "one user is healthy, the other stuck")

    async def told() -> bool:
        rows = await pipeline.rows("SELECT health, users, stuck FROM organization")
        waiting = await pipeline.rows("SELECT FROM status_change WHERE published_at IS NULL")
        return [tuple(row.values()) for row in rows] == [("down", 2, 1)] and not waiting

    await until(told, "the organization is down, and every change is published")
    changes = await pipeline.rows("SELECT user_id, became, revision FROM status_change ORDER BY id")
    read = []
    consumer = AIOKafkaConsumer(
        pipeline.prefix + STATUS.name, auto_offset_reset="earliest", **client_options(pipeline.bootstrap)
    )
    async with consumer:

        async def everything() -> bool:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                read.extend(decode_out(record.value).data for record in records)
            return len(read) >= len(changes)

        await until(everything, "every change can be read")
    assert {(each.user_id, each.to, each.revision) for each in read} == {tuple(row.values()) for row in changes}

    leading = [worker for worker in workers if await worker.metric("syncwatch_leader") == 1]
    assert len(leading) == 1

    async def shown() -> bool:
        return await leading[0].metric('syncwatch_users{status="stuck"}') == 1

    await until(shown, "the leader's gauges show the stuck user")
    leading[0].kill()
    (other,) = [worker for worker in workers if worker is not leading[0]]

    async def other_leads() -> bool:
        return await other.metric("syncwatch_leader") == 1

    await until(other_leads, "the other worker leads")
    assert other.stop() == 0
