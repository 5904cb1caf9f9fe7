from __future__ import annotations

from services.ingest.connectors.caldav_crm.turns import Turns
from services.ingest.connectors.caldav_crm.world import Person, everybody

PEOPLE = everybody()[:4]


class Clock:
    """Seconds that the test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(turns: Turns) -> list[Person]:
    """Everybody whose turn it is now."""
    people = []
    while (person := turns.take()) is not None:
        people.append(person)
    return people


def test_first_turns_are_spread_over_the_interval_and_come_again_after_it() -> None:
    clock = Clock()
    turns = Turns(20.0, clock)
    turns.are_of(PEOPLE)
    seen = []
    for second in range(60):
        clock.now = float(second)
        for person in taken(turns):
            seen.append((second, person))
            turns.give_back(person)
    assert [second for second, _ in seen] == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55]
    assert [person for _, person in seen] == [*PEOPLE] * 3


def test_nobody_has_two_passes_at_once_and_missed_turns_are_not_made_up_for() -> None:
    clock = Clock()
    turns = Turns(20.0, clock)
    turns.are_of(PEOPLE[:1])
    assert taken(turns) == [PEOPLE[0]]
    clock.now = 100.0
    assert taken(turns) == []
    turns.give_back(PEOPLE[0])
    assert taken(turns) == [PEOPLE[0]]
    turns.give_back(PEOPLE[0])
    assert taken(turns) == []


def test_who_is_switched_off_has_no_turn_until_switched_on() -> None:
    clock = Clock()
    turns = Turns(20.0, clock)
    turns.are_of(PEOPLE)
    turns.are_of(PEOPLE[1:])
    clock.now = 19.0
    assert set(taken(turns)) == set(PEOPLE[1:])
    turns.are_of(PEOPLE)
    assert taken(turns) == [PEOPLE[0]]
