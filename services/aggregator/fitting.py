"""Which records of a fetch follow what is read of a partition, by their offsets. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.aggregator.batch import Held, hash_of
from services.aggregator.sift import Record


class Odd(NamedTuple):
    """Something else came than what follows; it began here."""

    found: int


class Unknown(NamedTuple):
    """The record before the position, here, is another than the one applied: the log is not the one we know."""

    found: int


def fitting(held: Held, records: Sequence[Record], *, verify: bool) -> Sequence[Record] | Odd | Unknown:
    """Return the records that follow, as far as none is missing: what is behind a hole comes again, and is judged then.

    `verify`: the first of them must be the last one that was applied.
    """
    wanted, first = held.next_offset, records[0].offset
    if verify:
        if first != wanted - 1:
            return Odd(first)
        return _without_hole(wanted, records[1:]) if hash_of(records[0]) == held.last_hash else Unknown(first)
    if first < wanted <= records[-1].offset:
        return _behind_repeat(held, records)
    return _without_hole(wanted, records)


def _behind_repeat(held: Held, records: Sequence[Record]) -> Sequence[Record] | Odd:
    """Cut what was read before, if it ends with the very record that was read last."""
    last = next((index for index, record in enumerate(records) if record.offset == held.next_offset - 1), None)
    if last is None or hash_of(records[last]) != held.last_hash:
        return Odd(records[0].offset)
    return _without_hole(held.next_offset, records[last + 1 :])


def _without_hole(wanted: int, records: Sequence[Record]) -> Sequence[Record] | Odd:
    if not records:
        return ()
    if records[0].offset != wanted:
        return Odd(records[0].offset)
    if records[-1].offset - wanted == len(records) - 1:
        return records
    hole = next(index for index, record in enumerate(records) if record.offset != wanted + index)
    return records[:hole]
