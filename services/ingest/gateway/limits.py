"""Whether the topics take what the contract allows: a smaller limit would refuse for ever what an agent may send."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from schemas.topics import INPUT_TOPICS
from services.common.health import Health
from services.common.kafka import MAX_RECORD_BYTES, client_options

_LOG: Final = logging.getLogger(__name__)
_LIMIT: Final = "max.message.bytes"
_ASK_AGAIN_S: Final = 60.0
_TRY_AGAIN_S: Final = 2.0


async def keep_checking(bootstrap: str, prefix: str, health: Health) -> None:
    """Run until cancelled: say under `topics` which topics take too little, at the start and every minute."""
    names = [prefix + topic.name for topic in INPUT_TOPICS]
    while True:
        try:
            problem = too_small(await limits_of(bootstrap, names))
        except (KafkaError, OSError) as error:  # that Kafka is away is told by who publishes
            _LOG.info("limits not read", extra={"action": "limits_unread", "error": repr(error)})
            await asyncio.sleep(_TRY_AGAIN_S)
            continue
        health.set("topics", problem)
        if problem is not None:
            _LOG.error(problem, extra={"action": "topic_limit_too_small"})
        await asyncio.sleep(_ASK_AGAIN_S)


def too_small(limits: Mapping[str, int]) -> str | None:
    """Return what is wrong with limits in bytes by topic, or None."""
    small = [f"{name} takes {limit} bytes" for name, limit in limits.items() if limit < MAX_RECORD_BYTES]
    return f"{_LIMIT} must be {MAX_RECORD_BYTES}: {', '.join(small)}" if small else None


async def limits_of(bootstrap: str, names: Iterable[str]) -> dict[str, int]:
    """Return the largest record batch of each topic; of one that is missing, or that we may not ask about, nothing."""
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    try:
        await admin.start()
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name, configs={_LIMIT: None}) for name in names]
        answers = await admin.describe_configs(wanted)
    finally:
        await admin.close()
    found = [resource for answer in answers for resource in answer.resources]
    return {name: int(value) for _, _, _, name, entries in found for key, value, *_ in entries if key == _LIMIT}
