"""A user's status: one function of its facts and of a *now*, used by list, page, CSV, API and metric alike.

`now` is the append time up to which the user's partition is applied: no agent's clock, no wall clock. The facts become
a status by the first rule of `RULES` that holds; `check_at` says when time alone may change it.
"""

import functools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from schemas.recent import ENDED, FAILED, UNHEARD, Recent, RecentSession, Row

DEFAULT_INTERVAL_S: Final = 1800
LEAST_GRACE_S: Final = 300
MOST_GRACE_S: Final = 6 * 3600
ARRIVING: Final = timedelta(seconds=60)
"""How long after a session's end its issues may still arrive before they count as missing."""
SILENT_AFTER: Final = timedelta(seconds=90)
"""An agent without a heartbeat for so long, three of them, is silent."""
GONE_AFTER: Final = timedelta(days=1)
"""An agent without a heartbeat for so long was taken out of use: that is no silence."""
_TICK: Final = timedelta(microseconds=1)


class Facts(Struct, frozen=True, gc=False):
    """All that a user's status depends on, beside the time; made by `facts`."""

    recent: Recent
    newest: RecentSession | None
    last: RecentSession | None
    """The last ended session."""
    running: tuple[RecentSession, ...]
    off: str | None
    """Why it is switched off, a slug of `schemas.reasons.REASONS`; None: it is on."""
    off_since: datetime | None
    counted_from: datetime
    """From when on it could have run: announced, and switched on as it now is."""
    due_at: datetime | None
    """When the next run is due; None: never, as it is push only or switched off."""
    late_from: datetime | None
    """The end of the grace: later than that is late."""
    agent_id: str | None = None
    agent_silent: bool = False
    late_not_before: datetime | None = None
    """Not judged late before: what we have not heard may be our own fault. None: judge."""


def facts(
    recent: Recent,
    *,
    counted_from: datetime,
    interval_s: int = DEFAULT_INTERVAL_S,
    off: str | None = None,
    off_since: datetime | None = None,
    agent_id: str | None = None,
    agent_silent: bool = False,
    late_not_before: datetime | None = None,
) -> Facts:
    """Return the facts of a user. `interval_s` is for one whose last session names none; 0 is push only."""
    newest = recent.newest
    last = newest if newest is not None and newest.status in ENDED else recent.last_ended
    due = late = None
    if off is None:
        if last is not None and last.interval_s is not None:
            interval_s = last.interval_s
        if interval_s:
            start = last.at if last is not None and last.at > counted_from else counted_from
            interval, grace = _spans(interval_s)
            due = start + interval
            late = due + grace
    return Facts(
        recent, newest, last, recent.running, off, off_since, counted_from, due, late, agent_id, agent_silent,
        late_not_before,
    )  # fmt: skip


@functools.lru_cache(maxsize=1024)
def _spans(interval_s: int) -> tuple[timedelta, timedelta]:
    """Return interval and grace: one interval, at least five minutes, at most six hours."""
    return timedelta(seconds=interval_s), timedelta(seconds=min(max(interval_s, LEAST_GRACE_S), MOST_GRACE_S))


def facts_of(row: Row) -> Facts:
    """Return the facts in a row of query `facts_of_user` (schemas/sql/status.sql), with lateness as it was judged."""
    was_late = row["status"] == "late"
    return facts(
        Recent(row["recent"]), counted_from=row["counted_from"], interval_s=row["interval_s"], off=row["off"],
        off_since=row["off_since"], agent_id=row["agent_id"],
        agent_silent=was_late and row["reason"] == "agent_silent",
        late_not_before=None if was_late else row["check_at"] or row["counted_from"],
    )  # fmt: skip


# --- the status ----------------------------------------------------------------------------------------------------


def is_stuck(facts: Facts, now: datetime) -> bool:
    """Whether the newest session runs longer than it may."""
    newest = facts.newest
    return newest is not None and newest.limit_at is not None and now > newest.limit_at


def runs_in_time(facts: Facts, now: datetime) -> bool:
    """Whether any session runs within its limit."""
    return any(session.limit_at is not None and now <= session.limit_at for session in facts.running)


def _is_late(facts: Facts, now: datetime) -> bool:
    late = facts.late_from
    return late is not None and now > late and facts.late_not_before is None and not runs_in_time(facts, now)


def _has_failed(facts: Facts, now: datetime) -> bool:
    return facts.last is not None and facts.last.status in FAILED


def is_partial(facts: Facts, now: datetime) -> bool:
    """Whether the last session left issues behind, or not all that it tells of have arrived."""
    last = facts.last
    return last is not None and (
        last.status == "finished_with_issues" or (last.issues_missing > 0 and now >= last.at + ARRIVING)
    )


Rule = Callable[[Facts, datetime], bool]
RULES: Final[Sequence[tuple[str, Rule]]] = (
    ("disabled", lambda facts, now: facts.off is not None),
    ("stuck", is_stuck),
    ("late", _is_late),
    ("failing", _has_failed),
    ("partial", is_partial),
    ("healthy", lambda facts, now: facts.last is not None),
)
"""The first that holds decides; a user for whom none does is `new`."""


def status_of(facts: Facts, now: datetime) -> str:
    """Return the first status whose rule holds."""
    for status, holds in RULES:
        if holds(facts, now):
            return status
    return "new"


REASON_BY_END: Final = {
    "errors": "session_errors",
    "timed_out": "session_timed_out",
    "finished_with_issues": "session_issues",
    "finished": "session_finished",
}


def reason_of(facts: Facts, status: str) -> str:
    """Return the slug of the fact that decided on `status`: a member of `schemas.reasons.REASONS`."""
    last = facts.last
    if status == "healthy" or status == "failing":
        return REASON_BY_END[last.status] if last is not None else "nothing_ended"
    if status == "disabled":
        return facts.off or "off_other"
    if status == "stuck":
        return "past_limit"
    if status == "late":
        return "agent_silent" if facts.agent_silent else "never_ran" if last is None else "overdue"
    if status == "partial":
        return "session_issues" if last is not None and last.status == "finished_with_issues" else "issues_missing"
    return "nothing_ended"


def decided_at(facts: Facts, status: str) -> datetime | None:
    """Return the moment of the fact that decides on `status`; None where it has no time of its own."""
    if status == "disabled":
        return facts.off_since
    if status == "stuck":
        return facts.newest.limit_at if facts.newest is not None else None
    if status == "late":
        return facts.late_from
    if facts.last is None:
        return facts.counted_from
    missing = status == "partial" and facts.last.status != "finished_with_issues"
    return max(facts.counted_from, facts.last.at + ARRIVING if missing else facts.last.at)


def closes_at(session: RecentSession) -> datetime | None:
    """Return when a running session is to be given up: past its limit, and nothing heard of it for half an hour."""
    return None if session.limit_at is None else max(session.limit_at + _TICK, session.at + UNHEARD)


def check_at(facts: Facts, now: datetime) -> datetime | None:
    """Return the earliest moment at which time alone can change the status, or there is something to close or judge.

    Not later than `now` where that is due already. None: time changes nothing.
    """
    earliest: datetime | None = None
    late, last = facts.late_from, facts.last
    if late is not None and now <= late:
        earliest = late + _TICK
    elif late is not None and facts.late_not_before is not None and not runs_in_time(facts, now):
        earliest = facts.late_not_before
    if last is not None and last.issues_missing > 0 and facts.off is None and now < last.at + ARRIVING:
        earliest = min(earliest or last.at + ARRIVING, last.at + ARRIVING)
    for session in facts.running:
        earliest = min(filter(None, (earliest, *_running_moments(session, now))), default=None)
    return earliest


def _running_moments(session: RecentSession, now: datetime) -> tuple[datetime | None, datetime | None]:
    limit = session.limit_at
    return closes_at(session), limit + _TICK if limit is not None and now <= limit else None
