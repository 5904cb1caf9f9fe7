"""Faust's aiokafka driver, with whole fetches handed over instead of single messages, and our positions sought."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, ClassVar, Final, cast

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher as fetching
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from services.aggregator.batch import Partition
from services.aggregator.intake import Intake
from services.aggregator.sift import Record

LOG: Final = logging.getLogger(__name__)

FETCH_WAIT_MS: Final = 100
"""How long a fetch waits where nothing comes. aiokafka has one fetch at a time at a broker: where it asks for the quiet
partitions alone, as the records of the busy ones are still in hand, those are not asked for again before it ends."""
COURTESY_S: Final = 2.0
"""What only shows lag may not hold anything up."""


class BareRecords(fetching.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types here
    """The records of a partition as aiokafka's parser made them: no second object for each, which no one here needs."""

    def _consumer_record(self, tp: TopicPartition, record: Record) -> Record:
        return record


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's thread, whose fetches bring bare records and do not wait long for partitions where nothing comes."""

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Do as Faust does; who asks a thread that has ended waits for good, as one does who asked just before."""
        try:
            return await super().call_thread(fun, *args, **kwargs)
        except RuntimeError:
            if not self.thread_loop.is_closed():
                raise
            return await asyncio.Event().wait()  # whoever asks is cancelled soon: the worker is stopping

    def _create_worker_consumer(self, transport: Any) -> Any:
        fetching.PartitionRecords = BareRecords  # aiokafka lets nobody choose; nothing else in this process consumes
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # Faust says 1,500 and lets nobody say otherwise
        return consumer


class Consumer(driver.Consumer):
    """Faust's consumer as far as group membership goes; records take our way."""

    # A fetch is cancelled as its thread stops; Faust would call that a crash.
    consumer_stopped_errors = (*driver.Consumer.consumer_stopped_errors, asyncio.CancelledError)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _intake(self) -> Intake:
        return cast("Intake", cast("Any", self.app).intake)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Hand over fetch after fetch, for as long as the fetcher runs."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                records, _ = await self._wait_next_records(1.0)
                while not self.flow_active:
                    await asyncio.sleep(0.02)
                    if self.should_stop or fetcher.should_stop:
                        return
                if records:
                    await self._intake.take({(tp.topic, tp.partition): found for tp, found in records.items()})
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def perform_seek(self) -> None:
        """Faust asks after every rebalance, before records flow. Must come back soon, or Faust gives up in silence."""
        self._intake.consumer = self
        await self._intake.reassigned()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """A rebalance begins."""
        self._intake.revoked()
        await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust would look for messages on its own way, which carries none."""

    # --- what the intake asks ------------------------------------------------------------------------------------

    def assigned(self) -> Collection[Partition]:
        """Return the partitions of this worker, as the group has it now."""
        return [(tp.topic, tp.partition) for tp in self.assignment()]

    async def seek_to(self, offsets: Mapping[Partition, int]) -> None:
        """Seek; a partition that has just gone is left alone: its rebalance is under way."""
        for (topic, partition), offset in offsets.items():
            try:
                await self.seek_wait({TP(topic, partition): offset})
            except IllegalStateError:
                LOG.info("%s-%d has gone", topic, partition, extra={"action": "partition_gone"})

    async def ends(self, partitions: Collection[Partition]) -> Mapping[Partition, tuple[int, int]]:
        """Return first and next offset of logs, as the broker has them now."""
        if not partitions:
            return {}
        tps = [TP(*partition) for partition in partitions]
        beginnings, ends = await self.earliest_offsets(*tps), await self.highwaters(*tps)
        return {(tp.topic, tp.partition): (beginnings[tp], ends[tp]) for tp in tps}

    async def ends_for_courtesy(self, partitions: Collection[Partition]) -> Mapping[Partition, tuple[int, int]]:
        """Return as `ends` does; nothing where Kafka does not answer soon."""
        try:
            return await asyncio.wait_for(self.ends(partitions), COURTESY_S)
        except (KafkaError, TimeoutError) as error:
            LOG.info("ends not read: %s", type(error).__name__, extra={"action": "courtesy_refused"})
            return {}

    def pause(self, partition: Partition) -> None:
        """Fetch nothing of a partition."""
        self.pause_partitions({TP(*partition)})

    def resume(self, partition: Partition) -> None:
        """Fetch a partition again."""
        self.resume_partitions({TP(*partition)})

    def end_of(self, partition: Partition) -> int | None:
        """Return the next offset of a log as the last fetch had it; None where none has come."""
        try:
            return self.highwater(TP(*partition))
        except (IllegalStateError, AssertionError):
            return None

    async def commit_for_courtesy(self, offsets: Mapping[Partition, int]) -> None:
        """Tell Kafka how far we are, so that its tools show lag; whatever goes wrong does not matter."""
        known = {TopicPartition(*partition): (offset, "") for partition, offset in offsets.items()}
        try:
            await asyncio.wait_for(self._thread.call_thread(self._commit_now, known), COURTESY_S)
        except (KafkaError, TimeoutError) as error:
            LOG.info("not committed: %s", type(error).__name__, extra={"action": "courtesy_refused"})

    async def _commit_now(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        consumer = self._thread._ensure_consumer()
        assigned = consumer.assignment()
        if known := {tp: offset for tp, offset in offsets.items() if tp in assigned}:
            await consumer.commit(known)

    async def leave_group(self) -> None:
        """Leave for good: a static member that only stops would keep its partitions until the session times out."""
        try:
            await asyncio.wait_for(self._thread.call_thread(self._leave_now), COURTESY_S)
        except (KafkaError, TimeoutError) as error:
            LOG.info("not left: %s", type(error).__name__, extra={"action": "leave_refused"})

    async def _leave_now(self) -> None:
        coordinator = self._thread._ensure_consumer()._coordinator
        if coordinator.generation > 0:
            await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))


class Transport(driver.Transport):
    """The driver with our consumer."""

    Consumer: ClassVar[type[Consumer]] = Consumer
