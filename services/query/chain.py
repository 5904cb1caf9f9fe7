"""The chain of facts behind a status, in the order in which they decide, each with words, time and actor. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from schemas.keys import session_key
from schemas.reasons import reason_words
from schemas.status import SILENT_AFTER, facts_of
from schemas.vocabulary import DISABLED_REASON, words
from schemas.why import flags_of, why
from services.query.nouns import times

COUNTED: Final = ("late", "stuck", "partial", "healthy", "new", "disabled")
"""The statuses whose users the end of an organization's chain counts."""


@dataclass(frozen=True, slots=True)
class Link:
    """One fact. `state`: passed, deciding, or open (not reached). `icon`: the status whose icon a deciding fact has."""

    name: str
    state: str
    words: str
    at: datetime | None = None
    detail: str = ""
    icon: str = ""
    session_key: str | None = None


def actor_words(actor: str | None) -> str:
    """Return who acted, kind and id: `admin ilse@example.org`; one whose id is its kind is named once: `admin`."""
    kind, _, name = (actor or "").partition(" ")
    return kind if kind == name else actor or ""


def flag_words(enabled: bool, reason: str | None, actor: str | None) -> str:
    """Return how a flag came to stand as it does: "switched off after refused authorization"."""
    who = actor_words(actor)
    if enabled:
        return f"switched on by {who}" if who else "switched on"
    by_hand = reason in (None, "manual")
    return f"switched off by {who}" if by_hand and who else words(DISABLED_REASON, reason or "other")


def of_user(row: Mapping[str, Any], now: datetime) -> list[Link]:
    """Return the chain of a user from a row of query `facts_of_user`; `now` is how far its partition is applied."""
    return [
        Link(
            name=each.fact,
            state="open" if each.state == "later" else each.state,
            words=reason_words(each.words),
            at=each.at,
            detail=actor_words(each.actor) or each.agent_id or "",
            icon=str(row["status"]) if each.state == "deciding" else "",
            session_key=session_key(each.session.started_at, each.session.session_id) if each.session else None,
        )
        for each in why(facts_of(row), now, *flags_of(row))
    ]


def of_organization(
    row: Mapping[str, Any], agent: Mapping[str, Any] | None, failing_since: datetime | None, as_of: datetime
) -> list[Link]:
    """Return the chain of an organization: flag, agent, sessions, then the counts of its users' statuses.

    Where it is switched off, that decides, and nothing behind it does.
    """
    on = row["sync_enabled"]
    said = flag_words(on, row["disabled_reason"], row["flag_actor"])
    counts = ", ".join(f"{row[status]:,} {status}" for status in COUNTED if row[status])
    rest = [
        _agent(agent, as_of), _sessions(row), _users(row, failing_since),
        Link("users", "open", counts or "no users yet"),
    ]  # fmt: skip
    if on:
        return [Link("organization", "passed", "Organization on", row["flag_since"], said), *rest]
    off = Link("organization", "deciding", "Organization off", row["flag_since"], said, "disabled")
    return [off, *(replace(link, state="open", icon="") for link in rest)]


def is_silent(agent: Mapping[str, Any], as_of: datetime) -> bool:
    """Whether an agent was not heard for too long by then."""
    return bool(as_of - agent["heard_at"] > SILENT_AFTER)


def _agent(agent: Mapping[str, Any] | None, as_of: datetime) -> Link:
    if agent is None:
        return Link("agent", "open", "No agent of its own", None, "an agent shared by organizations may report")
    silent = is_silent(agent, as_of)
    running = agent["sessions_running"] or 0
    detail = f"{agent['agent_id']}, {times(running, 'session')} running"
    said = "Agent silent" if silent else "Agent reporting"
    return Link("agent", "deciding" if silent else "passed", said, agent["heard_at"], detail, "late" if silent else "")


def _sessions(row: Mapping[str, Any]) -> Link:
    if row["last_session_at"] is None:
        return Link("sessions", "open", "No session yet")
    return Link(
        "sessions", "passed", "Sessions arriving", row["last_session_at"], "the end of the newest, or its start"
    )


def _users(row: Mapping[str, Any], failing_since: datetime | None) -> Link:
    if not row["failing"]:
        return Link("failing", "passed", "No user failing")
    said = failing_words(row)
    detail = "the first of them since then" if failing_since else ""
    return Link("failing", "deciding", said, failing_since, detail, "failing")


def failing_words(row: Mapping[str, Any]) -> str:
    """Return how many of an organization's users are failing: `12 of 240 users failing`."""
    return f"{row['failing']:,} of {times(row['users'], 'user')} failing"
