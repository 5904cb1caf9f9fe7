"""What Faust's driver is told that it lets nobody say."""

from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver

from services.aggregator import transport
from services.aggregator.app import GROUP, Membership, build
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


async def test_a_thread_that_has_ended_is_no_error_of_whoever_asks_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(transport, "COURTESY_S", 0.1)
    intake: Any = None
    app = build(
        Membership(bootstrap="127.0.0.1:9", group=GROUP, topics=("t",), data_dir=tmp_path, instance=None), intake
    )
    consumer = app.consumer
    assert isinstance(consumer, Consumer)
    fausts = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:9")
    monkeypatch.setattr(consumer._thread, "_consumer", fausts)
    consumer._thread.thread_loop.close()
    try:
        assert await consumer.ends_for_courtesy([("t", 0)]) == {}
        await consumer.commit_for_courtesy({("t", 0): 1})
    finally:
        await fausts.stop()
