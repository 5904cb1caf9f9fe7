from __future__ import annotations

from random import Random

import pytest

from services.ingest.connectors.caldav_crm.faults import FAULTS
from services.ingest.connectors.caldav_crm.script import script


@pytest.mark.parametrize("sessions", [1, 3, 16, 60, 200])
def test_a_script_has_exactly_so_many_sessions_and_the_same_seed_the_same_script(sessions: int) -> None:
    steps = list(script(sessions, Random(7)))
    assert len(steps) == sessions
    assert steps == list(script(sessions, Random(7)))


def test_three_sessions_are_of_two_organizations_and_one_each_plain_refused_and_given_up() -> None:
    first, second, third = script(3, Random(1))
    assert len({step.person.organization_id for step in (first, second, third)}) == 2
    assert (first.fault, second.fault, third.fault) == (None, "oversized_subject", "wrong_password")


def test_the_opening_meets_every_fault_and_nobody_before_their_first_pass_where_one_is_needed() -> None:
    steps = list(script(16, Random(1)))
    assert {step.fault for step in steps if step.fault} == set(FAULTS)
    needs_an_earlier_pass = {"conflicting_edits", "locked_row", "removed_meanwhile", "saved_meanwhile", "duplicate"}
    seen = set()
    for step in steps:
        assert step.fault not in needs_an_earlier_pass or step.person in seen
        seen.add(step.person)
