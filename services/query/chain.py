"""The chain of facts behind a status, in the order in which they decide, each with words, time and actor. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.vocabulary import DISABLED_REASON, ERROR_CATEGORY, words

SILENT_AFTER: Final = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Link:
    """One fact. `state`: passed, deciding, or open (not reached). `icon`: the status whose icon a deciding fact has."""

    name: str
    state: str
    words: str
    at: datetime | None = None
    detail: str = ""
    icon: str = ""


def reason_words(enabled: bool, reason: str | None, actor: str | None) -> str:
    """Return how a flag came to stand as it does: "switched off after refused authorization"."""
    if enabled:
        return f"switched on by {actor}" if actor else "switched on"
    by_hand = reason in (None, "manual")
    return f"switched off by {actor}" if by_hand and actor else words(DISABLED_REASON, reason or "other")


def of_user(row: Mapping[str, Any]) -> list[Link]:
    """Return the chain of a user: organization, own flag, stuck, late, last session."""
    status = row["status"] or "new"
    organization_on = row["organization_enabled"] is not False
    facts = [
        _fact("organization", not organization_on, "Organization off", "Organization on", "disabled",
              row["organization_flag_since"],
              reason_words(organization_on, row["organization_disabled_reason"], row["organization_flag_actor"])),
        _fact("user", not row["sync_enabled"], "User off", "User on", "disabled", row["flag_since"],
              reason_words(row["sync_enabled"], row["disabled_reason"], row["flag_actor"])),
        _fact("stuck", status == "stuck", "Session runs too long", "No session stuck", "stuck", row["limit_at"],
              "its limit has passed" if status == "stuck" else ""),
        _fact("late", status == "late", "Next session overdue", "On time", "late", row["due_at"], _due(row, status)),
        _last(row, status),
    ]  # fmt: skip
    return _in_order(facts)


def _due(row: Mapping[str, Any], status: str) -> str:
    if row["due_at"] is None:
        return "none is due"
    if status == "late":
        return "never ran" if row["reason"] == "never_ran" else "due then, nothing since"
    return "the next is due then"


def _last(row: Mapping[str, Any], status: str) -> Link:
    match status:
        case "failing":
            cause = words(ERROR_CATEGORY, row["error_category"]) or "cause unknown"
            return Link(
                "last", "deciding", f"Failing, {row['in_a_row']} in a row", row["failing_since"], cause, "failing"
            )
        case "partial":
            return Link("last", "deciding", "Last session with issues", row["last_ended_at"], "", "partial")
        case "healthy":
            return Link("last", "deciding", "Last session finished", row["last_ended_at"], "", "healthy")
        case _ if row["last_status"] is None:
            return Link("last", "deciding", "No session has ended yet", None, "", "new")
        case _:
            return Link("last", "deciding", "Last session", row["last_ended_at"], "", "new")


def _fact(
    name: str, decides: bool, said: str, otherwise: str, icon: str, at: datetime | None, detail: str
) -> Link:  # fmt: skip
    return Link(
        name, "deciding" if decides else "passed", said if decides else otherwise, at, detail, icon if decides else ""
    )


def _in_order(facts: list[Link]) -> list[Link]:
    """Return the facts with everything behind the first deciding one left open."""
    links: list[Link] = []
    decided = False
    for fact in facts:
        links.append(Link(fact.name, "open", fact.words, fact.at, fact.detail) if decided else fact)
        decided = decided or fact.state == "deciding"
    return links


def of_organization(
    row: Mapping[str, Any], agent: Mapping[str, Any] | None, failing_since: datetime | None, now: datetime
) -> list[Link]:
    """Return the chain of an organization: flag, agent, sessions, then the counts of its users' statuses."""
    on = row["sync_enabled"]
    links = [
        _fact("organization", not on, "Organization off", "Organization on", "disabled", row["flag_since"],
              reason_words(on, row["disabled_reason"], row["flag_actor"])),
        _agent(agent, now),
        _sessions(row),
        _users(row, failing_since),
    ]  # fmt: skip
    rest = ", ".join(
        f"{row[name]:,} {name}" for name in ("late", "stuck", "partial", "healthy", "new", "disabled") if row[name]
    )
    return [*links, Link("users", "open", rest or "no users yet")]


def _agent(agent: Mapping[str, Any] | None, now: datetime) -> Link:
    if agent is None:
        return Link("agent", "open", "No agent of its own", None, "an agent shared by organizations may report")
    silent = now - agent["heard_at"] > SILENT_AFTER
    detail = f"{agent['agent_id']}, {agent['sessions_running'] or 0} sessions running"
    said = "Agent silent" if silent else "Agent reporting"
    return Link("agent", "deciding" if silent else "passed", said, agent["heard_at"], detail, "late" if silent else "")


def _sessions(row: Mapping[str, Any]) -> Link:
    if row["last_session_at"] is None:
        return Link("sessions", "open", "No session yet")
    return Link("sessions", "passed", "Sessions arriving", row["last_session_at"], "the newest ended then")


def _users(row: Mapping[str, Any], failing_since: datetime | None) -> Link:
    if not row["failing"]:
        return Link("failing", "passed", "No user failing")
    said = f"{row['failing']:,} of {row['users']:,} users failing"
    return Link("failing", "deciding", said, failing_since, "the first of them since then", "failing")
