"""Lines that wait for the end of an archive."""

from __future__ import annotations

import json
import random

import pytest

from services.query.exports.packed import PackedLines


@pytest.mark.parametrize("count", [0, 1, 2, 5_000])
def test_lines_come_back_as_members_of_an_array(count: int) -> None:
    lines = [{"at": at, "said": random.Random(at).randbytes(12).hex()} for at in range(count)]
    packed = PackedLines()
    for line in lines:
        packed.add(json.dumps(line).encode())
    assert packed.count == count
    assert json.loads(b"[" + b"".join(packed.members()) + b"]") == lines
