"""The rules, one by one, and that time alone changes nothing before `check_at`."""

# ruff: noqa: E501 - a table reads best with one rule a line

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.reasons import PASSED, REASONS, reason_words
from schemas.recent import Recent, RecentSession
from schemas.status import (
    RULES,
    Facts,
    check_at,
    closes_at,
    decided_at,
    facts,
    reason_of,
    status_of,
)
from schemas.vocabulary import USER_STATUS
from schemas.why import Flag, why

START = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def after(minutes: float) -> datetime:
    return START + minutes * MINUTE


def session(number: int, status: str, *, at: float, **other: object) -> RecentSession:
    """A session that began `number` minutes after START and of which was heard `at` minutes after START."""
    started = after(number)
    return RecentSession(
        UUID(int=number + 1000), started, started, 1, 1, status, after(at), **other  # type: ignore[arg-type]
    )  # fmt: skip


def facts_with(*sessions: RecentSession, **other: object) -> Facts:
    recent = reduce(Recent.seeing, sessions, Recent(None))
    return facts(recent, **{"counted_from": START, **other})  # type: ignore[arg-type]


FINISHED = session(0, "finished", at=5)
ERRORS = session(0, "errors", at=5)
RUNNING = session(40, "running", at=40, limit_at=after(70))


@dataclass(frozen=True)
class Case:
    says: str
    facts: Facts
    at: float
    status: str
    reason: str
    decided: float | None


CASES = [
    Case("off: the organization", facts_with(ERRORS, off="organization_off", off_since=after(1)), 9999, "disabled", "organization_off", 1),
    Case("off: by hand", facts_with(FINISHED, off="off_manual", off_since=after(2)), 9999, "disabled", "off_manual", 2),
    Case("off: authorization", facts_with(off="off_authorization", off_since=after(2)), 1, "disabled", "off_authorization", 2),
    Case("off beats stuck", facts_with(RUNNING, off="off_other"), 9999, "disabled", "off_other", None),
    Case("past its limit", facts_with(FINISHED, RUNNING), 70.01, "stuck", "past_limit", 70),
    Case("at its limit: not yet", facts_with(FINISHED, RUNNING), 70, "healthy", "session_finished", 5),
    Case("stuck beats failing", facts_with(ERRORS, RUNNING), 71, "stuck", "past_limit", 70),
    Case("overdue", facts_with(FINISHED), 65.01, "late", "overdue", 65),
    Case("grace goes to its very end", facts_with(FINISHED), 65, "healthy", "session_finished", 5),
    Case("late beats failing", facts_with(ERRORS), 65.01, "late", "overdue", 65),
    Case("a session that runs in time is no lateness", facts_with(FINISHED, RUNNING), 69, "healthy", "session_finished", 5),
    Case("never ran", facts_with(), 60.01, "late", "never_ran", 60),
    Case("late, and its agent is silent", facts_with(FINISHED, agent_id="a", agent_silent=True), 66, "late", "agent_silent", 65),
    Case("nobody is late yet", facts_with(FINISHED, late_not_before=after(80)), 66, "healthy", "session_finished", 5),
    Case("push only is never due", facts_with(FINISHED, interval_s=0), 9999, "healthy", "session_finished", 5),
    Case("the session's own interval counts", facts_with(session(0, "finished", at=5, interval_s=600)), 25.01, "late", "overdue", 25),
    Case("the session says: push only", facts_with(session(0, "finished", at=5, interval_s=0)), 9999, "healthy", "session_finished", 5),
    Case("grace is five minutes at least", facts_with(session(0, "finished", at=5, interval_s=60)), 10.9, "healthy", "session_finished", 5),
    Case("grace is six hours at most", facts_with(FINISHED, interval_s=86400), 5 + 1440 + 360.01, "late", "overdue", 5 + 1440 + 360),
    Case("due counts from when it was switched on", facts_with(FINISHED, counted_from=after(100)), 159, "healthy", "session_finished", 100),
    Case("an older session past its limit is not stuck", facts_with(RUNNING, session(60, "finished", at=61)), 75, "healthy", "session_finished", 61),
    Case("errors", facts_with(FINISHED, session(30, "errors", at=35)), 40, "failing", "session_errors", 35),
    Case("timed out", facts_with(session(30, "timed_out", at=35)), 40, "failing", "session_timed_out", 35),
    Case("finished with issues", facts_with(ERRORS, session(30, "finished_with_issues", at=35)), 40, "partial", "session_issues", 35),
    Case("c15: issues arriving", facts_with(session(0, "finished", at=5, issues_missing=2)), 5.99, "healthy", "session_finished", 5),
    Case("c15: issues missing", facts_with(session(0, "finished", at=5, issues_missing=2)), 6, "partial", "issues_missing", 6),
    Case("finished", facts_with(ERRORS, session(30, "finished", at=35)), 40, "healthy", "session_finished", 35),
    Case("a cancelled session counts for nothing", facts_with(ERRORS, session(30, "cancelled", at=35)), 40, "failing", "session_errors", 5),
    Case("nothing ended", facts_with(), 59, "new", "nothing_ended", 0),
    Case("only cancelled", facts_with(session(30, "cancelled", at=35)), 40, "new", "nothing_ended", 0),
    Case("the first session runs", facts_with(RUNNING), 69, "new", "nothing_ended", 0),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_the_first_rule_that_holds_decides(case: Case) -> None:
    now = after(case.at)
    assert status_of(case.facts, now) == case.status
    assert reason_of(case.facts, case.status) == case.reason
    assert decided_at(case.facts, case.status) == (None if case.decided is None else after(case.decided))


def test_every_rule_and_every_reason_is_walked() -> None:
    assert {case.status for case in CASES} == set(USER_STATUS) == {status for status, _ in RULES} | {"new"}
    unwalked = {"removed", "off_throttling"}  # further values of off, passed on as they are
    assert {case.reason for case in CASES} | unwalked == set(REASONS)


def test_c14_a_session_is_given_up_past_its_limit_and_unheard() -> None:
    assert closes_at(session(0, "running", at=10, limit_at=after(20))) == after(40)
    assert closes_at(session(0, "running", at=10, limit_at=after(60))) == after(60) + timedelta(microseconds=1)
    assert closes_at(FINISHED) is None


def test_what_is_due_is_looked_at_in_time() -> None:
    moment = timedelta(microseconds=1)
    assert check_at(facts_with(FINISHED), after(10)) == after(65) + moment
    assert check_at(facts_with(FINISHED, interval_s=0), after(10)) is None
    assert check_at(facts_with(FINISHED, off="off_manual"), after(10)) is None
    assert check_at(facts_with(FINISHED, late_not_before=after(80)), after(70)) == after(80)
    assert check_at(facts_with(session(0, "finished", at=5, issues_missing=1)), after(5.5)) == after(6)
    assert check_at(facts_with(FINISHED, RUNNING), after(66)) == after(70) + moment
    stuck = facts_with(FINISHED, session(40, "running", at=60, limit_at=after(70)))
    assert check_at(stuck, after(75)) == after(90), "when it is to be given up"
    assert check_at(stuck, after(95)) == after(90), "at once"


# --- time alone ----------------------------------------------------------------------------------------------------


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    sessions = []
    for number in draw(st.lists(st.integers(0, 100), max_size=5, unique=True)):
        status = draw(
            st.sampled_from(("running", "finished", "finished_with_issues", "errors", "cancelled", "timed_out"))
        )
        at = number + draw(st.integers(0, 60))
        sessions.append(
            session(
                number, status, at=at,
                limit_at=after(number + draw(st.integers(0, 90))) if status == "running" else None,
                interval_s=draw(st.sampled_from((None, 0, 60, 600, 1800))),
                issues_missing=draw(st.integers(0, 1)),
            )
        )  # fmt: skip
    return facts_with(
        *sessions,
        counted_from=after(draw(st.integers(0, 120))),
        interval_s=draw(st.sampled_from((0, 60, 1800))),
        off=draw(st.sampled_from((None, None, None, "off_manual", "off_authorization", "organization_off", "removed"))),
        agent_silent=draw(st.booleans()),
        late_not_before=draw(st.sampled_from((None, None, after(150)))),
    )


@given(any_facts(), st.integers(0, 300), st.data())
def test_time_alone_changes_no_status_before_the_check(known: Facts, minute: int, data: st.DataObject) -> None:
    now = after(minute)
    check = check_at(known, now)
    if check is not None and check <= now:
        return  # it is due already
    span = (check - now) if check is not None else timedelta(days=9)
    later = now + data.draw(st.floats(0, 1)) * (span - timedelta(microseconds=1))
    assert status_of(known, later) == status_of(known, now)
    assert all(closing is None or closing > later for closing in map(closes_at, known.running))


@given(any_facts(), st.integers(0, 300))
def test_the_chain_ends_in_the_status(known: Facts, minute: int) -> None:
    now = after(minute)
    chain = why(known, now, Flag(START, "admin ann"), Flag(START))
    deciding = [link for link in chain if link.state == "deciding"]
    status = status_of(known, now)
    assert len(deciding) == 1
    assert deciding[0].words == reason_of(known, status)
    assert [link.state for link in chain] == sorted(
        (link.state for link in chain), key=["passed", "deciding", "later"].index
    )
    assert all(link.words in REASONS or link.words in PASSED for link in chain)
    facts_of_status = {
        "disabled": {"organization_off", "user_off", "disabled_by_error"}, "stuck": {"stuck"}, "late": {"late"},
        "failing": {"failing"}, "partial": {"partial"}, "healthy": {"healthy_or_new"}, "new": {"healthy_or_new"},
    }  # fmt: skip
    assert deciding[0].fact in facts_of_status[status]


def test_the_chain_tells_who_and_when() -> None:
    chain = why(
        facts_with(ERRORS, off="off_authorization"), after(9), Flag(after(1), "admin ann"), Flag(after(2), "system")
    )
    told = {link.fact: link for link in chain}
    assert (told["organization_off"].words, told["organization_off"].actor) == ("organization_on", "admin ann")
    assert (told["disabled_by_error"].state, told["disabled_by_error"].at) == ("deciding", after(2))
    assert told["failing"].state == "later"
    assert (told["user_off"].words, told["user_off"].at, told["user_off"].actor) == ("not_by_hand", None, None)
    late = next(
        link for link in why(facts_with(FINISHED, agent_id="a-1", agent_silent=True), after(99)) if link.fact == "late"
    )
    assert (late.state, late.agent_id, late.at) == ("deciding", "a-1", after(65))


def test_an_older_session_that_runs_is_no_none() -> None:
    told = {link.fact: link for link in why(facts_with(RUNNING, session(50, "finished", at=55)), after(60))}
    assert (told["stuck"].words, told["late"].words) == ("newest_ended", "within_limit")
    told = {link.fact: link for link in why(facts_with(FINISHED), after(60))}
    assert told["stuck"].words == "none_running"


def test_every_reason_has_words() -> None:
    assert reason_words("overdue") == "the next session is overdue"
    assert reason_words("something_new") == "something_new"


def test_the_page_on_status_lists_every_status_and_reason() -> None:
    page = (Path(__file__).parents[3] / "docs" / "status.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.+) \|$", page, re.MULTILINE)
    assert [status for status, _ in rows] == [*(status for status, _ in RULES), "new"]
    assert {reason for _, reasons in rows for reason in re.findall(r"`(\w+)`", reasons)} == set(REASONS)
