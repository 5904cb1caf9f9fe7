"""Facts of an organization or a user for the head of its page: pairs, the chain, the cause. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas import vocabulary
from services.query.panel import words
from services.query.panel.rows import asked, session_path

STATES: Final = {"passed": "passed", "deciding": "decides", "open": "after", "later": "after"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the breadcrumbs."""

    word: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A grey word and its black value; a moment is shown in the reader's zone."""

    word: str
    value: str = ""
    at: datetime | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a chain. `tone` is the status whose colour and icon the deciding one has."""

    state: str
    title: str
    tone: str
    detail: str
    at: datetime | None
    href: str = ""


PASSED: Final[Mapping[str, str]] = {
    "organization_off": "Organization on", "user_off": "User on", "disabled_by_error": "Not disabled by error",
    "stuck": "Not stuck", "late": "Not late", "failing": "Not failing", "partial": "Not partial",
}  # fmt: skip
DECIDING: Final[Mapping[str, str]] = {
    "organization_off": "Organization off", "user_off": "User off", "disabled_by_error": "Disabled by error",
    "stuck": "Stuck", "late": "Late", "failing": "Failing", "partial": "Partial", "healthy_or_new": "Healthy",
}  # fmt: skip


def chain(links: Sequence[Mapping[str, Any]]) -> list[Fact]:
    """Return the chain of an organization as it is drawn."""
    return [Fact(STATES[link["state"]], link["words"], link["icon"], link["detail"], link["at"]) for link in links]


def user_chain(found: Mapping[str, Any]) -> list[Fact]:
    """Return the chain of a user as it is drawn: short titles, then when, what and by whom; nothing behind the end."""
    return [_user_fact(found, link) for link in found["chain"]]


def _user_fact(found: Mapping[str, Any], link: Mapping[str, Any]) -> Fact:
    name, state = link["name"], STATES[link["state"]]
    if state == "after":
        return Fact(state, DECIDING.get(name, link["words"]), "", "", None)
    title = (PASSED if state == "passed" else DECIDING).get(name, link["words"])
    if state == "decides" and name == "healthy_or_new":
        title = str(found["status"]).capitalize()
    said = [link["detail"] or link["words"]] if name.endswith("_off") else [link["words"], link["detail"]]
    if state == "decides" and name == "failing":
        said.append(f"{found['in_a_row']} in a row")
    href = session_path(link["session_key"]) if link["session_key"] and state == "decides" else ""
    return Fact(state, title, link["icon"], ", ".join(filter(None, said)), link["at"], href)


def of_organization(found: Mapping[str, Any]) -> list[Pair]:
    """Return the facts under an organization's name."""
    agents = ", ".join(f"{agent['agent_id']}, version {agent['version']}" for agent in found["agents"][:2])
    pairs = [
        Pair("Mail system", vocabulary.words(vocabulary.MAIL_SYSTEM, found["mail_system"]) or words.NONE),
        Pair("CRM", vocabulary.words(vocabulary.CRM_SYSTEM, found["crm_system"]) or words.NONE),
        Pair("Users", words.number(found["users"])),
        Pair("Interval", words.interval(found["interval_s"])),
    ]
    if agents:
        pairs.append(Pair("Agent", agents))
    return [*pairs, Pair("Watched since", at=found["first_seen_at"])]


def of_user(found: Mapping[str, Any]) -> list[Pair]:
    """Return the facts under a user's name."""
    interval = found["interval_s"] if found["interval_s"] is not None else found["organization_interval_s"]
    pairs = [
        Pair("E-mail", found["email"] or words.NONE),
        Pair("Mail system", vocabulary.words(vocabulary.MAIL_SYSTEM, found["mail_system"]) or words.NONE),
        Pair("CRM", vocabulary.words(vocabulary.CRM_SYSTEM, found["crm_system"]) or words.NONE),
        Pair("Interval", words.interval(interval)),
        Pair("Synchronization Disabled", str(bool(found["synchronization_disabled"]))),
    ]
    if found["last_started_at"]:
        pairs.append(Pair("Last session", at=found["last_started_at"]))
    if found["due_at"]:
        pairs.append(Pair("Next due", at=found["due_at"]))
    return pairs


def cause(found: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """Return the bar of an organization that is off: what, how many users, since when, and where they are."""
    if found["sync_enabled"]:
        return None
    return {
        "title": "Synchronization Disabled",
        "why": vocabulary.words(vocabulary.DISABLED_REASON, found["disabled_reason"] or "other"),
        "users": found["users"],
        "since": found["flag_since"],
        "actor": found["flag_actor"],
        "href": asked(path, status="disabled"),
    }
