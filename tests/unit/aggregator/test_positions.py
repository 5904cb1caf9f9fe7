"""C26, P13: where to read on, from the position and the log's two ends."""

from __future__ import annotations

import pytest

from services.aggregator.positions import Position, Start, Trouble, where_to_read


def position(next_offset: int, last_hash: int | None = 7) -> Position:
    return Position(0, next_offset, last_hash, None, None)


@pytest.mark.parametrize(
    ("wanted", "beginning", "end", "expected"),
    [
        (position(0, None), 0, 0, Start(0, verify=False)),
        (position(0, None), 0, 50, Start(0, verify=False)),
        (position(40), 0, 50, Start(39, verify=True)),
        (position(50), 0, 50, Start(49, verify=True)),
        (position(40), 40, 50, Start(40, verify=False)),  # retention has taken all before: nothing to compare
        (position(50), 50, 50, Start(50, verify=False)),
        (position(40, None), 0, 50, Start(40, verify=False)),
        (position(40), 0, 20, Trouble("log_cut", 20)),
        (position(40), 41, 90, Trouble("gap", 41)),
    ],
)
def test_c26_where_to_read(wanted: Position, beginning: int, end: int, expected: Start | Trouble) -> None:
    assert where_to_read(wanted, beginning, end) == expected
