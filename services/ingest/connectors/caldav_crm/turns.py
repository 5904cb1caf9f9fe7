"""Whose turn it is: everybody once per interval, spread evenly at first, never twice at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from services.ingest.connectors.caldav_crm.world import Person


class Turns:
    """The turns of one organization's people. `clock` gives seconds that only rise."""

    def __init__(self, interval_s: float, clock: Callable[[], float]) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._people: dict[UUID, Person] = {}
        self._due: dict[UUID, float] = {}
        self._running: set[UUID] = set()

    def are_of(self, people: Iterable[Person]) -> None:
        """Say who is to be synchronized now. Who is new gets a first turn within the interval, who left gets none."""
        self._people = {person.user_id: person for person in people}
        new = [user_id for user_id in self._people if user_id not in self._due]
        for place, user_id in enumerate(new):
            self._due[user_id] = self._clock() + self._interval_s * place / len(new)
        self._due = {user_id: due for user_id, due in self._due.items() if user_id in self._people}

    def take(self) -> Person | None:
        """Return whose turn has come, the longest overdue first; None when it is nobody's."""
        free = [(due, user_id) for user_id, due in self._due.items() if user_id not in self._running]
        due, user_id = min(free, default=(float("inf"), None))
        now = self._clock()
        if user_id is None or due > now:
            return None
        self._running.add(user_id)
        following = due + self._interval_s
        self._due[user_id] = following if following > now else now + self._interval_s
        return self._people[user_id]

    def give_back(self, person: Person) -> None:
        """Say that a person's pass is over."""
        self._running.discard(person.user_id)
