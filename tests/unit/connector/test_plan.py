"""A life is mostly calm, and its first minute shows every outcome; simulated, no second of it passes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

from services.ingest.connectors.caldav_crm.faults import FAULTS
from services.ingest.connectors.caldav_crm.plan import EVERYBODYS, NO_RAREST_BEFORE_S, PERSONAL, RAREST, WIDE, Plan
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS, everybody

PERIOD_S, INTERVAL_S = 4, 20
PEOPLE = len(everybody())
SOURCES = {
    "wrong_password": "calendar",
    "server_stopped": "calendar",
    "crm_maintenance": "crm",
    "mass_delete": "connector",
}
HOUR_S = 3600


@dataclass
class Lived:
    """What came of a life: when each fault came, and the outcomes of sessions by second."""

    faults: list[tuple[int, str]] = field(default_factory=list)
    sessions: list[tuple[int, str]] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)

    def share_finished(self, begin: int, end: int) -> float:
        outcomes = Counter(outcome for at, outcome in self.sessions if begin <= at < end)
        return outcomes["finished"] / outcomes.total()


def live(seed: int, until: int) -> Lived:
    """Let a plan run against people who are each synchronized every 20 s."""
    rng, plan, lived = Random(seed), Plan(Random(seed)), Lived()
    going_on: dict[tuple[str, int], float] = {}
    for second in range(until):
        if second % PERIOD_S == 0:
            going_on = {key: end for key, end in going_on.items() if end > second}
            well = [person for person in range(PEOPLE) if person not in {whose for _, whose in going_on}]
            name = plan.next(second, [fault for fault, _ in going_on])
            if name is not None:
                going_on[name, rng.choice(well)] = second + rng.uniform(*FAULTS[name].lasts_s)
                lived.faults.append((second, name))
        now = [(fault, whose) for (fault, whose), end in going_on.items() if end > second]
        for person in range(second % INTERVAL_S, PEOPLE, INTERVAL_S):
            mine = {fault for fault, whose in now if whose == person or fault in WIDE}
            half = PEOPLE // len(ORGANIZATIONS)
            if "switched_off" in mine or any(
                fault == RAREST and whose // half == person // half for fault, whose in now
            ):
                continue
            errors = mine & SOURCES.keys()
            lived.sources |= {SOURCES[fault] for fault in errors if second < 60}
            outcome = "errors" if errors else "finished_with_issues" if mine - {RAREST} else "finished"
            lived.sessions.append((second, outcome))
    return lived


def test_every_fault_has_its_place() -> None:
    assert {*PERSONAL, *WIDE, RAREST} == FAULTS.keys()
    assert {name for name, fault in FAULTS.items() if fault.is_wide} == EVERYBODYS


@pytest.mark.parametrize("seed", range(1, 9))
def test_most_sessions_finish_from_the_first_minute_on(seed: int) -> None:
    lived = live(seed, HOUR_S)
    assert 0.7 <= lived.share_finished(0, HOUR_S) <= 0.85
    for begin in range(0, HOUR_S, 600):
        assert 0.6 <= lived.share_finished(begin, begin + 600) <= 0.92


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_first_minute_shows_every_outcome_and_errors_of_several_sources(seed: int) -> None:
    lived = live(seed, 60)
    assert {outcome for _, outcome in lived.sessions} == {"finished", "finished_with_issues", "errors"}
    assert lived.sources == {"calendar", "crm", "connector"}
    assert lived.share_finished(0, 60) >= 0.6


@pytest.mark.parametrize("seed", range(1, 9))
def test_an_organization_is_switched_off_seldom_shortly_and_not_at_first(seed: int) -> None:
    faults = live(seed, 3 * HOUR_S).faults
    places = [place for place, (_, name) in enumerate(faults) if name == RAREST]
    assert places
    assert all(faults[place][0] >= NO_RAREST_BEFORE_S for place in places)
    assert all(after - before > 25 for before, after in zip([-1, *places], places, strict=False))
    assert FAULTS[RAREST].lasts_s[1] + PERIOD_S <= 40
    assert {name for _, name in faults} == FAULTS.keys()


def test_what_could_not_begin_comes_again_in_the_next_step() -> None:
    plan = Plan(Random(1), opening={0: "duplicate"})
    assert plan.next(0.0, []) == "duplicate"
    plan.put_off("duplicate")
    assert plan.next(4.0, []) == "duplicate"
    assert plan.next(8.0, []) is None


def test_what_touches_everybody_waits_for_its_like() -> None:
    plan = Plan(Random(1), opening={0: "crm_maintenance"})
    assert plan.next(0.0, ["server_stopped"]) is None
    assert plan.next(4.0, []) == "crm_maintenance"


def test_the_same_seed_makes_the_same_life() -> None:
    assert live(5, HOUR_S).faults == live(5, HOUR_S).faults != live(6, HOUR_S).faults
