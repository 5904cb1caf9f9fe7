"""Why a user has its status: the chain of facts, each with its time, who did it, and what to open."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from schemas.recent import FAILED, RecentSession, Row
from schemas.status import REASON_BY_END, Facts, is_partial, is_stuck, reason_of

State = Literal["passed", "deciding", "later"]


class Flag(NamedTuple):
    """Since when a switch stands as it stands, and who set it."""

    since: datetime | None = None
    actor: str | None = None


class Link(Struct, frozen=True, kw_only=True):
    """One fact of the chain that leads to a status. `words` is a slug of `schemas.reasons`."""

    fact: str
    state: State
    words: str
    at: datetime | None = None
    actor: str | None = None
    session: RecentSession | None = None
    """The session it tells of, for a link."""
    agent_id: str | None = None
    """The agent it tells of, for a link."""


def flags_of(row: Row) -> tuple[Flag, Flag]:
    """Return the flags of the organization and of the user, from a row of query `facts_of_user`."""
    return (
        Flag(row["organization_since"], row["organization_actor"]),
        Flag(row["user_since"], row["user_actor"]),
    )


def why(facts: Facts, now: datetime, organization: Flag = Flag(), user: Flag = Flag()) -> list[Link]:  # noqa: B008
    """Return the chain of facts in the order in which they decide: those passed, the deciding one, those not asked."""
    chain: list[Link] = []
    state: State = "passed"
    flags = {"organization_off": organization, "disabled_by_error" if facts.off in _BY_ERROR else "user_off": user}
    for fact, link in _CHAIN:
        holds, told = link(facts, now)
        state = "later" if state != "passed" else "deciding" if holds else "passed"
        if flag := flags.get(fact):
            told = {**told, "at": flag.since, "actor": flag.actor}
        chain.append(Link(fact=fact, state=state, **told))
    return chain


_Told = tuple[bool, dict[str, Any]]
_BY_ERROR: Final = frozenset({"off_authorization", "off_throttling"})


def _organization_link(facts: Facts, now: datetime) -> _Told:
    off = facts.off == "organization_off"
    return off, {"words": "organization_off" if off else "organization_on"}


def _user_link(facts: Facts, now: datetime) -> _Told:
    if facts.off in _BY_ERROR:
        return False, {"words": "not_by_hand"}
    off = facts.off is not None
    return off, {"words": facts.off if off and facts.off != "organization_off" else "user_on"}


def _blocked_link(facts: Facts, now: datetime) -> _Told:
    off = facts.off in _BY_ERROR
    return off, {"words": facts.off if off else "not_blocked"}


def _stuck_link(facts: Facts, now: datetime) -> _Told:
    newest = facts.newest
    if newest is None or not facts.running:
        return False, {"words": "none_running"}
    if newest.limit_at is None:  # an older one still runs
        return False, {"words": "newest_ended", "at": newest.at, "session": newest}
    stuck = is_stuck(facts, now)
    return stuck, {"words": "past_limit" if stuck else "within_limit", "at": newest.limit_at, "session": newest}


def _late_link(facts: Facts, now: datetime) -> _Told:
    running = next((each for each in facts.running if each.limit_at and now <= each.limit_at), None)
    if facts.late_from is None:
        return False, {"words": "push_only" if facts.off is None else "not_due"}
    if running is not None:
        return False, {"words": "within_limit", "at": running.limit_at, "session": running}
    if now <= facts.late_from:
        return False, {"words": "not_due", "at": facts.due_at}
    if facts.late_not_before is not None:
        return False, {"words": "late_held", "at": facts.late_from}
    reason = reason_of(facts, "late")
    agent_id = facts.agent_id if reason == "agent_silent" else None
    return True, {"words": reason, "at": facts.late_from, "session": facts.last, "agent_id": agent_id}


def _failing_link(facts: Facts, now: datetime) -> _Told:
    last = facts.last
    if last is None:
        return False, {"words": "nothing_ended"}
    if last.status not in FAILED:
        return False, {"words": "not_failed", "at": last.at, "session": last}
    return True, {"words": REASON_BY_END[last.status], "at": facts.recent.streak.since, "session": last}


def _partial_link(facts: Facts, now: datetime) -> _Told:
    last = facts.last
    if last is None:
        return False, {"words": "nothing_ended"}
    told: dict[str, Any] = {"at": last.at, "session": last}
    if is_partial(facts, now):
        return True, {"words": reason_of(facts, "partial"), **told}
    return False, {"words": "reports_arriving" if last.issues_missing else "not_partial", **told}


def _healthy_link(facts: Facts, now: datetime) -> _Told:
    last = facts.last
    if last is None:
        return True, {"words": "nothing_ended", "at": facts.counted_from}
    return True, {"words": REASON_BY_END[last.status], "at": last.at, "session": last}


_CHAIN: Final[Sequence[tuple[str, Callable[[Facts, datetime], _Told]]]] = (
    ("organization_off", _organization_link),
    ("user_off", _user_link),
    ("disabled_by_error", _blocked_link),
    ("stuck", _stuck_link),
    ("late", _late_link),
    ("failing", _failing_link),
    ("partial", _partial_link),
    ("healthy_or_new", _healthy_link),
)
