"""The script of a counted run: who is synchronized in which order, and what went wrong just before. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, cycle, islice
from random import Random
from typing import Final

from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS, Person


@dataclass(frozen=True, slots=True)
class Step:
    """One session. `fault` begins before it and is mended right after it; `edits` is whether people edit before."""

    person: Person
    fault: str | None = None
    edits: bool = False


# Of the first sessions, by place in the interleaved row of people: after the first three there was one each of
# finished, finished_with_issues and errors, in two organizations. Who had an issue comes again, and it is resolved.
_OPENING: Final = (
    (0, None),
    (1, "oversized_subject"),
    (2, "wrong_password"),
    (3, None),
    (1, None),
    (2, None),
    (0, "conflicting_edits"),
    (3, "locked_row"),
    (4, "server_stopped"),
    (1, "mass_delete"),
    (5, "crm_maintenance"),
    (0, "removed_meanwhile"),
    (3, "saved_meanwhile"),
    (2, "duplicate"),
    (6, "switched_off"),
    (7, "organization_switched_off"),
)
_LATER: Final = (
    "oversized_subject",
    "wrong_password",
    "conflicting_edits",
    "duplicate",
    "locked_row",
    "mass_delete",
    "removed_meanwhile",
    "saved_meanwhile",
    "server_stopped",
    "crm_maintenance",
)
FAULT_SHARE: Final = 0.3


def script(sessions: int, rng: Random) -> Iterator[Step]:
    """Return exactly `sessions` steps: the opening, then everybody in turn, with edits and faults by chance."""
    people = list(chain.from_iterable(zip(*(each.people for each in ORGANIZATIONS), strict=True)))
    opening = (Step(people[place], fault) for place, fault in _OPENING)
    later = (
        Step(person, rng.choice(_LATER) if rng.random() < FAULT_SHARE else None, edits=rng.random() < 0.7)
        for person in cycle(people)
    )
    return islice(chain(opening, later), sessions)
