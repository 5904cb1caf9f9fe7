"""Applying a batch: one transaction, or several where the database refuses a record. Knows only a `Store`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from services.aggregator.batch import REFUSED_BY_DATABASE, Part, Place, Work, halves, work_of

Saved = TypeVar("Saved", covariant=True)


class CannotGoIn(Exception):
    """The transaction found records that can never be applied; nothing of it was stored."""

    def __init__(self, refused: Mapping[Place, tuple[str, str]]) -> None:
        super().__init__(f"{len(refused)} records")
        self.refused = refused


class DatabaseRefuses(Exception):
    """The database takes nothing with one of these records in it; nothing was stored. `detail`: its error code."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Store(Protocol[Saved]):
    """Stores the work of one transaction, wholly or not at all."""

    async def save(self, work: Work) -> Saved: ...


async def apply(work: Work, store: Store[Saved], done: Callable[[Work, Saved], None]) -> None:
    """Apply the work of one batch; `done` is told of each transaction. Only infrastructure errors escape."""
    await _apply(work, {}, store, done)


async def _apply(
    work: Work, refused: Mapping[Place, tuple[str, str]], store: Store[Saved], done: Callable[[Work, Saved], None]
) -> None:
    try:
        saved = await store.save(work)
    except CannotGoIn as some:
        refused = {**refused, **some.refused}
        await _apply(work_of(work.parts, refused), refused, store, done)
    except DatabaseRefuses as refusal:
        for parts in _smaller(work.parts):
            if _is_one(parts):
                (part,) = parts
                place = (part.topic, part.partition, part.records[0].offset)
                alone = {**refused, place: (REFUSED_BY_DATABASE, refusal.detail)} if _is_one(work.parts) else refused
                await _apply(work_of(parts, alone), alone, store, done)
            else:
                await _apply(work_of(parts, refused), refused, store, done)
    else:
        done(work, saved)


def _is_one(parts: Sequence[Part]) -> bool:
    return len(parts) == 1 and len(parts[0].records) == 1


def _smaller(parts: Sequence[Part]) -> list[Sequence[Part]]:
    """Return the parts in two halves; a single record stays alone, to be set aside."""
    return [parts] if _is_one(parts) else [half for half in halves(parts) if half]
