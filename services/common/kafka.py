"""What every Kafka client of ours is told, and the size limits that producer, topic and consumer must share."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

_LOG: Final = logging.getLogger(__name__)

MAX_RECORD_BYTES: Final = (1024 + 64) * 1024
"""The largest record with key, headers and framing: the producer's and the topic's limit. An event is far smaller."""

MAX_FETCH_BYTES: Final = 4 * MAX_RECORD_BYTES
"""What a consumer asks for per partition: above the largest batch, or it would stand still before it."""


def client_options(bootstrap: str) -> dict[str, Any]:
    """Return the options of any aiokafka client. `bootstrap` is host:port, several with commas."""
    servers = [server.strip() for server in bootstrap.split(",") if server.strip()]
    return {"bootstrap_servers": servers, "client_id": "syncwatch", "request_timeout_ms": 10_000}


def producer_options(bootstrap: str) -> dict[str, Any]:
    """Return the options of our producers: acknowledged by all replicas, no repeats by retries, zstd, murmur2 keys.

    aiokafka's default partitioner is Java's murmur2, so it is not named.
    """
    return {
        **client_options(bootstrap),
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "zstd",
        "max_request_size": MAX_RECORD_BYTES,
    }


async def close_producer(producer: AIOKafkaProducer, seconds: float) -> None:
    """Close a producer, giving it so long to send what it holds; never raises."""
    try:
        async with asyncio.timeout(seconds):
            await producer.stop()
    except (TimeoutError, KafkaError, OSError, AssertionError) as error:
        _LOG.warning("the producer did not close cleanly", extra={"action": "close_failed", "error": repr(error)})
