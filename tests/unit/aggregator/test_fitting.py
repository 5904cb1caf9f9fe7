"""What of a fetch follows what is read: whatever comes, nothing is left out and nothing is taken twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.batch import Held, hash_of
from services.aggregator.fitting import Odd, Unknown, fitting
from tests.rig.stream import FakeRecord

LENGTH = 9
LOG = [FakeRecord(offset, 1_000 + offset, b"key", b"%d" % offset) for offset in range(LENGTH)]
OTHER = [FakeRecord(offset, 1_000 + offset, b"key", b"other %d" % offset) for offset in range(LENGTH)]


def held(next_offset: int) -> Held:
    return Held(0, next_offset, hash_of(LOG[next_offset - 1]) if next_offset else None, None)


@pytest.mark.parametrize(("next_offset", "verify", "fetch", "expected"), [
    (0, False, LOG[:3], LOG[:3]),
    (3, False, LOG[3:], LOG[3:]),
    (3, False, LOG[4:], Odd(4)),
    (3, False, LOG[:3], Odd(0)),
    (3, False, LOG[1:5], LOG[3:5]),
    (3, False, OTHER[1:5], Odd(1)),
    (3, False, [*LOG[:2], *LOG[4:]], Odd(0)),
    (3, False, [*LOG[3:5], *LOG[6:]], LOG[3:5]),
    (3, False, [*LOG[2:5], *LOG[6:]], LOG[3:5]),
    (3, True, LOG[2:6], LOG[3:6]),
    (3, True, [*LOG[2:4], *LOG[5:]], LOG[3:4]),
    (3, True, LOG[2:3], ()),
    (3, True, LOG[3:6], Odd(3)),
    (3, True, OTHER[2:6], Unknown(2)),
    (3, True, [LOG[2], *LOG[4:6]], Odd(4)),
])  # fmt: skip
def test_a_fetch_fits_or_it_is_said_why_not(
    next_offset: int, verify: bool, fetch: list[FakeRecord], expected: object
) -> None:
    assert fitting(held(next_offset), fetch, verify=verify) == expected


@given(
    next_offset=st.integers(1, LENGTH - 1), verify=st.booleans(),
    offsets=st.lists(st.integers(0, LENGTH - 1), min_size=1, unique=True).map(sorted),
    strange=st.sets(st.integers(0, LENGTH - 1)),
)  # fmt: skip
def test_what_fits_follows_without_a_hole(
    next_offset: int, verify: bool, offsets: list[int], strange: set[int]
) -> None:
    fetch = [OTHER[offset] if offset in strange else LOG[offset] for offset in offsets]
    found = fitting(held(next_offset), fetch, verify=verify)
    if not isinstance(found, Odd | Unknown):
        assert [record.offset for record in found] == list(range(next_offset, next_offset + len(found)))
        if verify or offsets[0] < next_offset:
            assert next_offset - 1 in offsets
            assert next_offset - 1 not in strange
