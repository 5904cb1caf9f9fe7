"""C28: producer, topics and consumers take more than the contract allows, and the gateway sees to it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.events import MAX_EVENT_BYTES
from schemas.topics import INPUT_TOPICS
from services.common.health import Health
from services.common.kafka import MAX_FETCH_BYTES, MAX_RECORD_BYTES, client_options, producer_options
from services.ingest.gateway import limits
from services.ingest.gateway.publish import _BATCH_BYTES


def test_c28_every_limit_is_above_the_one_before_it() -> None:
    envelope = 64 * 1024
    producer = producer_options("127.0.0.1:1")["max_request_size"]
    assert MAX_EVENT_BYTES + envelope < _BATCH_BYTES < producer <= MAX_RECORD_BYTES < MAX_FETCH_BYTES


async def test_c28_the_topics_of_a_deployment_take_what_the_contract_allows(topics: Any) -> None:
    names = [topics.name(topic.name) for topic in INPUT_TOPICS]
    found = await limits.limits_of(topics.bootstrap, [*names, "nobody-made-this"])
    assert found == dict.fromkeys(names, MAX_RECORD_BYTES)
    assert limits.too_small(found) is None


async def test_c28_a_topic_that_takes_too_little_is_named_until_it_is_mended(
    topics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_ASK_AGAIN_S", 0.1)
    name, health = topics.name("syncwatch.logs"), Health("topics")
    admin = AIOKafkaAdminClient(**client_options(topics.bootstrap))
    await admin.start()
    checking = asyncio.create_task(limits.keep_checking(topics.bootstrap, topics.prefix, health))
    try:
        for size, told in ((1000, f"{name} takes 1000 bytes"), (MAX_RECORD_BYTES, None)):
            entry = {"max.message.bytes": str(size)}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=entry)])
            async with asyncio.timeout(60):
                while not says(health, told):
                    await asyncio.sleep(0.05)
    finally:
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)
        await admin.close()


def says(health: Health, told: str | None) -> bool:
    problem = health.problems().get("topics")
    return problem is None if told is None else (problem or "").endswith(told)
