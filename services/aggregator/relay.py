"""Status changes go out: read what is not published, publish, mark. At least once, in order per user."""

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from schemas.events import StatusData, StatusEvent, encode, make
from schemas.recent import Row
from schemas.sql import named_queries
from schemas.topics import HEADERS, STATUS, key_of

_SQL: Final = named_queries("relay")
AT_ONCE: Final = 1_000
SENDER: Final = "syncwatch"


def status_event(row: Row) -> StatusEvent:
    """Return the event that tells a row of `status_change`. Its id names the change, so a second copy has the same."""
    organization_id, user_id = row["organization_id"], row["user_id"]
    data = StatusData(
        organization_id=organization_id, user_id=user_id, from_=row["was"], to=row["became"], reason=row["reason"],
        since=row["since"], revision=row["revision"],
    )  # fmt: skip
    whose = str(organization_id) if user_id is None else f"{organization_id}/{user_id}"
    event: StatusEvent = make(data, id=f"{whose}/{row['revision']}", agent_id=SENDER, time=row["since"])
    return event


async def relay(connection: Any, producer: AIOKafkaProducer, topic_prefix: str = "") -> int:
    """Publish up to a thousand status changes and mark those that Kafka acknowledged; return how many.

    Raises what Kafka raises: then what is not marked is published again, and a reader drops it by its revision.
    """
    rows = await connection.fetch(_SQL["unpublished"], AT_ONCE)
    if not rows:
        return 0
    events = [status_event(row) for row in rows]
    topic = topic_prefix + STATUS.name
    sent = [await producer.send(topic, encode(event), key=key_of(event), headers=list(HEADERS)) for event in events]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    told = [row["id"] for row, outcome in zip(rows, outcomes, strict=True) if not isinstance(outcome, BaseException)]
    await connection.execute(_SQL["mark_published"], told)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return len(told)
