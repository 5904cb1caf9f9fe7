"""What Faust's driver is told that it lets nobody say."""

from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver

from services.aggregator.transport import FETCH_WAIT_MS, Consumer, ConsumerThread


async def test_a_fetch_for_quiet_partitions_does_not_hold_up_the_busy_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    fausts = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:9", fetch_max_wait_ms=1_500)
    assert fausts._fetch_max_wait_ms == 1_500  # what it is called, and what its fetcher will be made with
    assert fausts._fetcher is None
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_create_worker_consumer", lambda *_: fausts)
    thread: Any = object.__new__(ConsumerThread)
    try:
        assert thread._create_worker_consumer(None)._fetch_max_wait_ms == FETCH_WAIT_MS <= 200
        assert Consumer._new_consumer_thread is not driver.Consumer._new_consumer_thread
    finally:
        await fausts.stop()
