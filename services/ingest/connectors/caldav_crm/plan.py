"""When something goes wrong in a life, and what: three in four sessions are to end well. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

PERSONAL: Final = (
    "wrong_password",
    "oversized_subject",
    "conflicting_edits",
    "duplicate",
    "switched_off",
    "locked_row",
    "mass_delete",
    "saved_meanwhile",
    "removed_meanwhile",
)
"""Faults of one person."""
WIDE: Final = ("crm_maintenance", "server_stopped")
"""Faults of everybody, for seconds."""
RAREST: Final = "organization_switched_off"
"""Puts half of all rows out: seldom, and not before somebody has seen the rest."""
EVERYBODYS: Final = frozenset({*WIDE, RAREST})

# By step. At the usual pace and interval the first minute so holds every outcome, and errors of three sources; the
# last one needs people who were synchronized before.
OPENING: Final[Mapping[int, str]] = MappingProxyType(
    {0: "wrong_password", 1: "oversized_subject", 2: "crm_maintenance", 7: "mass_delete"}
)
CALM_STEPS: Final = 12
FAULT_SHARE: Final = 0.25
MOST_AT_ONCE: Final = 6
ROUNDS_PER_RAREST: Final = 3
NO_RAREST_BEFORE_S: Final = 300.0


class Plan:
    """The faults of one life, in an order drawn from `rng`."""

    def __init__(self, rng: Random, opening: Mapping[int, str] = OPENING) -> None:
        self._rng = rng
        self._opening = opening
        self._step = -1
        self._rounds = 0
        self._ahead: list[str] = []
        self._again: list[str] = []

    def next(self, seconds: float, going_on: Collection[str]) -> str | None:
        """Return what goes wrong in this step, if anything: `seconds` after the life began, with `going_on` wrong."""
        self._step += 1
        name = self._opening.get(self._step) or self._by_chance(seconds, len(going_on))
        if name is not None and name in EVERYBODYS and not EVERYBODYS.isdisjoint(going_on):
            self.put_off(name)
            return None
        return name

    def put_off(self, name: str) -> None:
        """Have a fault come again in the next step: there was nothing to act on, or a system was away."""
        self._again.append(name)

    def _by_chance(self, seconds: float, going_on: int) -> str | None:
        if going_on >= MOST_AT_ONCE:
            return None
        if self._again:
            return self._again.pop(0)
        if self._step < CALM_STEPS or self._rng.random() >= FAULT_SHARE:
            return None
        if not self._ahead:
            self._ahead = self._round()
        if self._ahead[0] == RAREST and seconds < NO_RAREST_BEFORE_S:
            return None
        return self._ahead.pop(0)

    def _round(self) -> list[str]:
        """Each kind of trouble once, one of the wide ones among them; after every third round the rarest."""
        names = [*PERSONAL, WIDE[self._rounds % len(WIDE)]]
        self._rng.shuffle(names)
        self._rounds += 1
        return names if self._rounds % ROUNDS_PER_RAREST else [*names, RAREST]
