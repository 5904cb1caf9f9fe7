from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from schemas.events import Direction, Failure, Operation
from services.ingest.connectors.caldav_crm.books import Change, Trouble
from services.ingest.connectors.caldav_crm.memory import Memory

USER = UUID(int=1)
OTHER = UUID(int=2)
TROUBLE = Trouble(Change("u1", Direction.MAIL_TO_CRM, Operation.CREATE, "Call", None), 1, Failure())


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    opened = Memory(tmp_path)
    yield opened
    opened.close()


def test_attempts_are_counted_per_user_and_change(memory: Memory) -> None:
    assert [memory.opened(USER, TROUBLE), memory.opened(USER, TROUBLE), memory.opened(OTHER, TROUBLE)] == [1, 2, 1]


def test_an_issue_met_again_is_not_over(memory: Memory) -> None:
    memory.opened(USER, TROUBLE)
    assert memory.over(USER, [TROUBLE], set(), {"u1"}) == []


@pytest.mark.parametrize(
    ("skipped", "both", "resolution"),
    [(set(), {"u1"}, "synced"), (set(), set(), "removed"), ({"u1"}, set(), "ignored")],
)
def test_an_issue_not_met_again_is_over_in_one_of_three_ways(
    memory: Memory, skipped: set[str], both: set[str], resolution: str
) -> None:
    memory.opened(USER, TROUBLE)
    memory.opened(OTHER, TROUBLE)
    (closed,) = memory.over(USER, [], skipped, both)
    assert (closed.change, closed.resolution) == (TROUBLE.change, resolution)


def test_an_issue_stays_until_it_is_forgotten_and_survives_a_restart(tmp_path: Path) -> None:
    first = Memory(tmp_path)
    first.opened(USER, TROUBLE)
    first.close()
    second = Memory(tmp_path)
    assert len(second.over(USER, [], set(), set())) == len(second.over(USER, [], set(), set())) == 1
    second.forget(USER, TROUBLE.change)
    assert second.over(USER, [], set(), set()) == []
    second.close()
