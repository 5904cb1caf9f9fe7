"""From facts to what is stored: the verdict on a user, what it is counted under, the health of an organization."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from schemas.status import Facts, check_at, decided_at, reason_of, status_of
from schemas.vocabulary import USER_RANK

UNCOUNTED: Final = ""
"""The bucket of a row just made: no organization has counted it yet."""


class Stored(NamedTuple):
    """What the row of a user says before it is judged."""

    status: str
    reason: str
    since: datetime | None
    bucket: str
    revision: int
    check_at: datetime | None


class Verdict(NamedTuple):
    """What the row of a user says afterwards."""

    status: str
    status_rank: int
    bucket: str
    reason: str
    since: datetime
    revision: int
    failing_since: datetime | None
    in_a_row: int
    check_at: datetime | None
    due_at: datetime | None
    limit_at: datetime | None


def judged(facts: Facts, now: datetime, stored: Stored) -> Verdict:
    """Return the verdict on a user at `now`. The revision rises when its status changes, or why it is switched off."""
    status = status_of(facts, now)
    reason = reason_of(facts, status)
    changed = (
        status != stored.status or stored.bucket == UNCOUNTED or (status == "disabled" and reason != stored.reason)
    )
    since = _since(facts, now, status, stored) if changed or stored.since is None else stored.since
    streak = facts.recent.streak
    newest = facts.newest
    return Verdict(
        status=status,
        status_rank=USER_RANK[status],
        bucket=bucket_of(facts, status, reason, streak.in_a_row),
        reason=reason,
        since=since,
        revision=stored.revision + changed,
        failing_since=streak.since,
        in_a_row=streak.in_a_row,
        check_at=_next_check(check_at(facts, now), stored.check_at, now),
        due_at=facts.due_at,
        limit_at=newest.limit_at if newest is not None else None,
    )


def _since(facts: Facts, now: datetime, status: str, stored: Stored) -> datetime:
    """Return since when: the moment of the deciding fact, however late it was noticed.

    A fact older than the previous status decided only because another one went away, and that happened now.
    """
    moment = decided_at(facts, status)
    if moment is None or moment > now or (stored.since is not None and moment < stored.since):
        return now
    return moment


def _next_check(wanted: datetime | None, stored: datetime | None, now: datetime) -> datetime | None:
    """Keep a check that is planned earlier: it finds nothing and plans anew. An index entry that stays is cheaper."""
    if wanted is not None and stored is not None and now < stored <= wanted:
        return stored
    return wanted


def bucket_of(facts: Facts, status: str, reason: str, in_a_row: int) -> str:
    """Return what `organization_status` counts a user under."""
    if status == "disabled":
        return _OFF_BUCKETS.get(reason, "disabled_manual")
    if status == "failing" and in_a_row == 1 and facts.last is not None and facts.last.retryable:
        return "failing_once"
    return status


_OFF_BUCKETS: Final[Mapping[str, str]] = {
    "removed": "removed",
    "organization_off": "disabled_organization",
    "off_authorization": "disabled_error",
    "off_throttling": "disabled_error",
}


class Health(NamedTuple):
    """An organization's health and the fact that decided on it."""

    health: str
    reason: str


def health_of(users: Mapping[str, int], *, enabled: bool) -> Health:
    """Return the health of an organization whose users are counted by bucket. Users off by hand count for nothing."""
    if not enabled:
        return Health("disabled", "organization_off")
    bad = touched(users)
    counted = sum(users.values()) - users.get("removed", 0) - users.get("disabled_manual", 0)
    if bad and bad * 2 >= counted:
        return Health("down", "half_touched")
    if bad > users.get("failing_once", 0):
        return Health("degraded", "some_touched")
    return Health("ok", "all_well") if counted else Health("quiet", "all_off")


def touched(users: Mapping[str, int]) -> int:
    """Return how many users need attention: failing, late, stuck, or switched off by an error."""
    return sum(users.get(bucket, 0) for bucket in ("failing", "failing_once", "late", "stuck", "disabled_error"))
