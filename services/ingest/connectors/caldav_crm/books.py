"""The books of one pass: what was listed, done, refused and skipped, by direction, and how long each side took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from schemas.events import Direction, Failure, Operation
from services.ingest.connectors.caldav_crm.failures import Side

TOWARDS: Final = {Side.MAIL: Direction.CRM_TO_MAIL, Side.CRM: Direction.MAIL_TO_CRM}
"""The direction of a change, by the side it is made on."""

AWAY_FROM: Final = {Side.MAIL: Direction.MAIL_TO_CRM, Side.CRM: Direction.CRM_TO_MAIL}
"""The direction an object is read for, by the side it is read from."""

WORDS: Final = {Direction.MAIL_TO_CRM: "calendar to CRM", Direction.CRM_TO_MAIL: "CRM to calendar"}

SIDES: Final = {Side.MAIL: "the calendar", Side.CRM: "the CRM"}

DONE: Final = {Operation.CREATE: "created", Operation.UPDATE: "updated", Operation.DELETE: "deleted"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object that the engine asked for, on the side `direction` leads to."""

    ident: str
    direction: Direction
    operation: Operation
    name: str = ""
    counterpart_id: str | None = None

    def __str__(self) -> str:
        return f"{self.operation.value} {self.name or self.ident!r} ({WORDS[self.direction]})"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A change that did not go through. `error_code` is the source document's, 1 to 3."""

    change: Change
    error_code: int
    failure: Failure
    is_conflict: bool = False


@dataclass(slots=True)
class Books:
    """Kept while a pass runs, read when it is over, also one that was given up half-way."""

    counts: Counter[tuple[Direction, str]] = field(default_factory=Counter)
    troubles: list[Trouble] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    seconds: dict[Side, float] = field(default_factory=lambda: dict.fromkeys(Side, 0.0))
    stopped_while: str = ""
    """At what the pass was given up, if it was."""

    def listed(self, side: Side, objects: int) -> None:
        """Every object whose state was read counts as fetched, changed or not."""
        self.counts[AWAY_FROM[side], "fetched"] += objects

    def done(self, change: Change) -> None:
        """A change was applied."""
        self.counts[change.direction, DONE[change.operation]] += 1

    def refused(self, trouble: Trouble) -> None:
        """A change was refused; a conflict is none of the failures."""
        self.counts[trouble.change.direction, "conflicts" if trouble.is_conflict else "failed"] += 1
        self.troubles.append(trouble)

    def left_out(self, change: Change) -> None:
        """A change was found and deliberately not applied."""
        self.counts[change.direction, "skipped"] += 1
        self.skipped.add(change.ident)

    def of_direction(self, direction: Direction) -> dict[str, int]:
        """Return the counts of one direction that are not 0, by name as in the events: fetched, created and so on."""
        return {name: number for (towards, name), number in self.counts.items() if towards is direction}

    def detail(self) -> str:
        """Return the words beside the status: at what the pass stopped, and what did not go through; else nothing.

        No names of objects: they are masked elsewhere, and these words are not.
        """
        said = [self._stopped()] if self.stopped_while else []
        failed = [(self.counts[TOWARDS[side], "failed"], f"refused by {name}") for side, name in SIDES.items()]
        for number, how in [(sum(self.counts[towards, "conflicts"] for towards in Direction), "in conflict"), *failed]:
            if number:
                said.append(f"{number} {'appointment' if number == 1 else 'appointments'} {how}")
        return ", ".join(said)

    def _stopped(self) -> str:
        changes = sum(self.counts[towards, done] for towards in Direction for done in DONE.values())
        after = f" after {changes} {'change' if changes == 1 else 'changes'}" if changes else ""
        return f"stopped while {self.stopped_while}{after}"
