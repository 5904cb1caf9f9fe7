"""Applying a batch: one transaction, or several where the database refuses a record. Knows only a `Store`."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeVar

from services.aggregator.batch import REFUSED_BY_DATABASE, Part, Partition, Place, Work, halves, work_of
from services.aggregator.brake import Brake

TOO_MANY_REJECTS: Final = "too_many_rejects"
Brakes = MutableMapping[Partition, Brake]

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


async def apply(work: Work, store: Store[Saved], brakes: Brakes, done: Callable[[Work, Saved], None]) -> None:
    """Apply the work of one batch; `done` is told of each transaction. Only infrastructure errors escape.

    `brakes` move with each transaction, whoever found its rejects. Where one is pulled, the partition is halted behind
    the record that pulled it, and nothing further of it is applied.
    """
    await _apply(work, {}, store, brakes, done)


async def _apply(
    work: Work, refused: Mapping[Place, tuple[str, str]], store: Store[Saved], brakes: Brakes,
    done: Callable[[Work, Saved], None],
) -> None:  # fmt: skip
    allowed, moved = _braked(work, refused, brakes)
    if not allowed.parts:
        return
    try:
        saved = await store.save(allowed)
    except CannotGoIn as some:
        refused = {**refused, **some.refused}
        await _apply(work_of(work.parts, refused), refused, store, brakes, done)
    except DatabaseRefuses as refusal:
        for parts in _smaller(work.parts):
            if _is_one(parts):
                (part,) = parts
                place = (part.topic, part.partition, part.records[0].offset)
                alone = {**refused, place: (REFUSED_BY_DATABASE, refusal.detail)} if _is_one(work.parts) else refused
                await _apply(work_of(parts, alone), alone, store, brakes, done)
            else:
                await _apply(work_of(parts, refused), refused, store, brakes, done)
    else:
        brakes.update(moved)
        done(allowed, saved)


def _braked(
    work: Work, refused: Mapping[Place, tuple[str, str]], brakes: Mapping[Partition, Brake]
) -> tuple[Work, Mapping[Partition, Brake]]:
    """Return as much of the work as the brakes let through, and the brakes behind it."""
    moved: dict[Partition, Brake] = {}
    let_through: list[Part] = []
    for part, sifted in zip(work.parts, work.sifted, strict=True):
        brake = brakes.get((part.topic, part.partition), Brake())
        if brake.is_pulled:
            continue  # halted by a transaction before
        if part.keeps_position:
            rejected = [(index, reject.organization_id) for index, reject in sifted.aside]
            brake, pulled = brake.after(len(part.records), rejected)
            moved[part.topic, part.partition] = brake
            part = part if pulled is None else part.slice(0, pulled + 1)
        let_through.append(part)
    if sum(len(part.records) for part in let_through) < work.records:
        work = work_of(let_through, refused)
    halted = {partition for partition, brake in moved.items() if brake.is_pulled}
    if halted:
        spans = [
            span._replace(halted=TOO_MANY_REJECTS) if (span.topic, span.partition) in halted else span
            for span in work.spans
        ]
        work = replace(work, spans=spans)
    return work, moved


def _is_one(parts: Sequence[Part]) -> bool:
    return len(parts) == 1 and len(parts[0].records) == 1


def _smaller(parts: Sequence[Part]) -> list[Sequence[Part]]:
    """Return the parts in two halves; a single record stays alone, to be set aside."""
    return [parts] if _is_one(parts) else [half for half in halves(parts) if half]
