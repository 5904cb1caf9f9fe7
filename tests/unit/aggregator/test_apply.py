"""P7: the reject brake moves with what was stored, whoever found the rejects."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from services.aggregator.apply import Brakes, CannotGoIn, DatabaseRefuses, apply
from services.aggregator.batch import Work
from services.aggregator.brake import IN_A_ROW
from tests.rig.stream import EVENTS, FakeLog, session

Refusing = Callable[[Work], None]


class FakeStore:
    """Stores work in memory, unless `refuse` raises."""

    def __init__(self, refuse: Refusing) -> None:
        self.refuse = refuse
        self.stored: list[Work] = []

    async def save(self, work: Work) -> None:
        self.refuse(work)
        self.stored.append(work)

    def halted(self) -> dict[int, int]:
        """Return the partitions that were halted, each with the offset it stands at."""
        return {span.partition: span.high for work in self.stored for span in work.spans if span.halted}


def as_a_database(work: Work) -> None:
    """Refuse whatever holds a session of partition 0, without a word about which."""
    if any(kept.partition == 0 for kept in work.fold.sessions.values()):
        raise DatabaseRefuses("SQLSTATE 23514")


def as_a_merge(work: Work) -> None:
    """Refuse the sessions of partition 0, each named."""
    keys = [
        ((kept.event.data.started_at, kept.event.data.session_id), kept.event.data.user_id)
        for kept in work.fold.sessions.values()
        if kept.partition == 0
    ]
    if keys:
        raise CannotGoIn(dict.fromkeys(work.places_of(keys, object), ("foreign_session", "")))


async def test_p7_what_the_database_refuses_one_by_one_adds_up_and_halts_the_partition() -> None:
    store = FakeStore(as_a_database)
    await apply(_of_many_organizations(200).work(), store, {}, _nothing)
    assert store.halted() == {0: IN_A_ROW + 1}  # the loudest is left out, and each sent one
    assert sum(len(work.rejects) for work in store.stored) == IN_A_ROW + 1


async def test_p7_what_a_merge_refuses_adds_up_over_batches() -> None:
    brakes: Brakes = {}
    store, log = FakeStore(as_a_merge), FakeLog()
    for start in range(0, 200, 20):
        _append(log, 20)
        await apply(log.work({(EVENTS, 0): start}), store, brakes, _nothing)
    assert store.halted() == {0: IN_A_ROW + 1}
    assert store.stored[-1].spans[0].high == IN_A_ROW + 1  # what was made ready behind it is left out


async def test_p7_the_other_partitions_of_a_batch_go_on() -> None:
    log = _of_many_organizations(200)
    _append(log, 30, partition=1)
    store = FakeStore(as_a_database)
    await apply(log.work(), store, {}, _nothing)
    assert store.halted() == {0: IN_A_ROW + 1}
    assert sum(len(part.records) for work in store.stored for part in work.parts if part.partition == 1) == 30


async def test_p7_one_organization_alone_is_muted() -> None:
    log, organization_id = FakeLog(), uuid4()
    for _ in range(200):
        log.append(session(uuid4(), user_id=uuid4(), organization_id=organization_id))
    store = FakeStore(as_a_database)
    await apply(log.work(), store, {}, _nothing)
    assert store.halted() == {}
    assert sum(len(work.rejects) for work in store.stored) == 200


async def test_what_is_not_stored_moves_no_brake() -> None:
    def down(work: Work) -> None:
        raise OSError("no answer")

    brakes: Brakes = {}
    log = FakeLog()
    log.append(b"no event")
    with pytest.raises(OSError, match="no answer"):
        await apply(log.work(), FakeStore(down), brakes, _nothing)
    assert brakes == {}


def _of_many_organizations(count: int) -> FakeLog:
    log = FakeLog()
    _append(log, count)
    return log


def _append(log: FakeLog, count: int, partition: int = 0) -> None:
    for _ in range(count):
        log.append(session(uuid4(), user_id=uuid4(), organization_id=uuid4()), partition=partition)


def _nothing(work: Work, saved: None) -> None: ...
