"""The verdict on a user, the buckets, an organization's health, and silence."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from uuid import UUID

import pytest

from schemas.recent import Recent, RecentSession
from schemas.status import Facts, facts
from services.aggregator.silence import Heard, is_our_fault, late_not_before, silent_agents
from services.aggregator.status import Health, Stored, Verdict, health_of, judged, touched

START = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
FRESH = Stored("new", "nothing_ended", None, "", 0, None)


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def session(number: int, status: str, **other: object) -> RecentSession:
    return RecentSession(
        UUID(int=number + 1), after(number), after(number), 1, 1, status, after(number + 5),
        **other,  # type: ignore[arg-type]
    )  # fmt: skip


def facts_with(*sessions: RecentSession, **other: object) -> Facts:
    return facts(reduce(Recent.seeing, sessions, Recent(None)), **{"counted_from": START, **other})  # type: ignore[arg-type]


def stored(verdict: Verdict) -> Stored:
    return Stored(
        verdict.status, verdict.reason, verdict.since, verdict.bucket, verdict.revision, verdict.check_at
    )  # fmt: skip


def test_a_first_verdict_is_a_change() -> None:
    verdict = judged(facts_with(), START, FRESH)
    assert (verdict.status, verdict.bucket, verdict.since, verdict.revision) == ("new", "new", START, 1)


def test_a_verdict_again_is_no_change() -> None:
    first = judged(facts_with(session(0, "errors")), after(6), FRESH)
    again = judged(facts_with(session(0, "errors"), session(7, "errors")), after(13), stored(first))
    assert (again.status, again.since, again.revision) == ("failing", after(5), 1)
    assert (again.in_a_row, again.failing_since) == (2, after(5))


def test_c17_whoever_missed_a_run_is_late_since_then_however_late_it_was_noticed() -> None:
    healthy = judged(facts_with(session(0, "finished")), after(6), FRESH)
    late = judged(facts_with(session(0, "finished")), after(300), stored(healthy))
    assert (late.status, late.since, late.revision) == ("late", after(65), 2)


def test_what_falls_back_to_an_older_fact_began_now() -> None:
    failing = judged(facts_with(session(0, "finished"), session(10, "errors")), after(16), FRESH)
    reopened = facts_with(session(0, "finished"), session(10, "running", limit_at=after(60)))
    assert judged(reopened, after(17), stored(failing)).since == after(17)


def test_another_reason_for_being_off_is_told() -> None:
    manual = judged(facts_with(off="off_manual", off_since=after(1)), after(2), FRESH)
    organization = judged(facts_with(off="organization_off", off_since=after(3)), after(4), stored(manual))
    assert (organization.status, organization.revision, organization.bucket) == ("disabled", 2, "disabled_organization")
    assert organization.since == after(3)


def test_a_check_planned_earlier_stays() -> None:
    first = judged(facts_with(session(0, "finished")), after(6), FRESH)
    second = judged(facts_with(session(0, "finished"), session(30, "finished")), after(36), stored(first))
    assert first.check_at == second.check_at == after(65) + timedelta(microseconds=1)
    third = judged(facts_with(session(0, "finished"), session(30, "finished")), after(66), stored(second))
    assert third.check_at == after(95) + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("known", "bucket"),
    [
        (facts_with(session(0, "errors", retryable=True)), "failing_once"),
        (facts_with(session(0, "errors", retryable=True), session(9, "errors", retryable=True)), "failing"),
        (facts_with(session(0, "errors")), "failing"),
        (facts_with(off="off_manual"), "disabled_manual"),
        (facts_with(off="off_other"), "disabled_manual"),
        (facts_with(off="off_authorization"), "disabled_error"),
        (facts_with(off="off_throttling"), "disabled_error"),
        (facts_with(off="organization_off"), "disabled_organization"),
        (facts_with(off="removed"), "removed"),
        (facts_with(session(0, "finished")), "healthy"),
    ],
)
def test_what_a_user_is_counted_under(known: Facts, bucket: str) -> None:
    assert judged(known, after(15), FRESH).bucket == bucket


@pytest.mark.parametrize(
    ("users", "enabled", "health"),
    [
        ({"failing": 9}, False, Health("disabled", "organization_off")),
        ({"failing": 1, "healthy": 1}, True, Health("down", "half_touched")),
        ({"disabled_error": 1, "disabled_manual": 9}, True, Health("down", "half_touched")),
        ({"late": 1, "healthy": 2}, True, Health("degraded", "some_touched")),
        ({"failing_once": 1, "healthy": 2}, True, Health("ok", "all_well")),
        ({"failing_once": 2, "healthy": 9, "stuck": 1}, True, Health("degraded", "some_touched")),
        ({"disabled_manual": 3, "removed": 2}, True, Health("quiet", "all_off")),
        ({}, True, Health("quiet", "all_off")),
        ({"partial": 3, "new": 1}, True, Health("ok", "all_well")),
    ],
)
def test_an_organizations_health(users: dict[str, int], enabled: bool, health: Health) -> None:
    assert health_of(users, enabled=enabled) == health


def test_touched_users_need_attention() -> None:
    assert touched({"failing": 1, "failing_once": 1, "late": 1, "stuck": 1, "disabled_error": 1, "healthy": 9}) == 5


def heard(minutes: float, organization: int = 1, name: str = "") -> Heard:
    return Heard(name or f"agent {minutes} {organization}", UUID(int=organization), after(minutes))


def test_an_agent_is_silent_after_90_seconds() -> None:
    agents = [heard(0, name="quiet"), heard(0.6, name="heard")]
    assert silent_agents(agents, after(2)) == {"quiet"}
    assert silent_agents(agents, after(1.5)) == frozenset()


@pytest.mark.parametrize(
    ("agents", "ours"),
    [
        ([heard(0), heard(1, 2), heard(4, 3), heard(10), heard(10, 2)], True),
        ([heard(0), heard(1), heard(4), heard(10)], False),  # one organization: its own trouble
        ([heard(0), heard(1, 2), heard(10, 3)], False),  # two agents only
        ([heard(0), heard(3, 2), heard(6, 3), heard(10)], False),  # not within five minutes
        ([heard(0), heard(1, 2), heard(2, 3), *(heard(10, n) for n in range(4, 9))], False),  # not half of them
    ],
)
def test_c17_most_agents_silent_at_once_is_our_fault(agents: list[Heard], ours: bool) -> None:
    assert is_our_fault(agents, after(10.5)) is ours
    assert (late_not_before(agents, after(10.5), None) is not None) is ours


def test_c17_after_an_outage_of_ours_agents_are_given_time() -> None:
    assert late_not_before([], after(3), after(0)) == after(5)
    assert late_not_before([], after(5), after(0)) is None
