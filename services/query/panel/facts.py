"""Facts of an organization or a user for the head of its page: pairs, the chain, the causes. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from schemas import vocabulary
from schemas.reasons import reason_words
from schemas.remediation import advice
from services.query.chain import COUNTED, actor_words, failing_words
from services.query.panel import words
from services.query.panel.rows import asked, organization_path, session_path
from services.query.views import filters

STATES: Final = {"passed": "passed", "deciding": "decides", "open": "after"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the breadcrumbs."""

    word: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A grey word and its black value; a moment is shown in the reader's zone, behind the value where there is one."""

    word: str
    value: str = ""
    at: datetime | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a chain. `tone` is the status whose colour and icon the deciding one has.

    `counts`: what the title is made of where it is numbers, and the list that proves each.
    """

    state: str
    title: str
    tone: str
    detail: str
    at: datetime | None
    href: str = ""
    counts: tuple[tuple[str, str], ...] = ()


PASSED: Final[Mapping[str, str]] = {
    "organization_off": "Organization on", "user_off": "User on", "disabled_by_error": "Not disabled by error",
    "stuck": "Not stuck", "late": "Not late", "failing": "Not failing", "partial": "Not partial",
}  # fmt: skip
DECIDING: Final[Mapping[str, str]] = {
    "organization_off": "Organization off", "user_off": "User off", "disabled_by_error": "Disabled by error",
    "stuck": "Stuck", "late": "Late", "failing": "Failing", "partial": "Partial", "healthy_or_new": "Healthy",
}  # fmt: skip
NOT_BY_HAND: Final = reason_words("not_by_hand")
"""Of a user that an error switched off: the flag is off, though nobody set it."""


def chain(found: Mapping[str, Any], path: str) -> list[Fact]:
    """Return the chain of an organization as it is drawn."""
    counts = {"users": tuple((f"{found[each]:,} {each}", asked(path, status=each)) for each in COUNTED if found[each])}
    if found["failing"]:
        counts["failing"] = ((failing_words(found), asked(path, status="failing")),)
    return [
        Fact(
            STATES[link["state"]], link["words"], link["icon"], link["detail"], link["at"],
            counts=counts.get(link["name"], ()),
        )
        for link in found["chain"]
    ]  # fmt: skip


def user_chain(found: Mapping[str, Any]) -> list[Fact]:
    """Return the chain of a user as it is drawn: short titles, then when, what and by whom; nothing behind the end."""
    return [_user_fact(found, link) for link in found["chain"]]


def _user_fact(found: Mapping[str, Any], link: Mapping[str, Any]) -> Fact:
    name, state = link["name"], STATES[link["state"]]
    if state == "after":
        return Fact(state, DECIDING.get(name, link["words"]), "", "", None)
    title = (PASSED if state == "passed" else DECIDING).get(name, link["words"])
    if link["words"] == NOT_BY_HAND:
        title = "Not off by hand"
    if state == "decides" and name == "healthy_or_new":
        title = str(found["status"]).capitalize()
    said = [link["detail"] or link["words"]] if name.endswith("_off") else [link["words"], link["detail"]]
    if state == "decides" and name == "failing":
        said.append(f"{found['in_a_row']} in a row")
    href = session_path(link["session_key"]) if link["session_key"] and state == "decides" else ""
    return Fact(state, title, link["icon"], ", ".join(filter(None, said)), link["at"], href)


def of_organization(found: Mapping[str, Any], path: str) -> list[Pair]:
    """Return the facts under an organization's name."""
    agents = ", ".join(
        f"{words.isolated(agent['agent_id'])}, version {agent['version']}" for agent in found["agents"][:2]
    )
    pairs = [
        Pair("Mail system", vocabulary.words(vocabulary.MAIL_SYSTEM, found["mail_system"]) or words.NONE),
        Pair("CRM", vocabulary.words(vocabulary.CRM_SYSTEM, found["crm_system"]) or words.NONE),
        Pair("Users", words.number(found["users"]), href=path),
        Pair("Interval", words.interval(found["interval_s"])),
    ]
    if agents:
        pairs.append(Pair("Agent", agents))
    return [*pairs, Pair("Watched since", at=found["first_seen_at"])]


def of_user(found: Mapping[str, Any]) -> list[Pair]:
    """Return the facts under a user's name."""
    interval = found["interval_s"] if found["interval_s"] is not None else found["organization_interval_s"]
    mail_system = found["mail_system"] or found["organization_mail_system"]
    crm_system = found["crm_system"] or found["organization_crm_system"]
    pairs = [
        Pair("E-mail", found["email"] or words.NONE),
        Pair("Mail system", vocabulary.words(vocabulary.MAIL_SYSTEM, mail_system) or words.NONE),
        Pair("CRM", vocabulary.words(vocabulary.CRM_SYSTEM, crm_system) or words.NONE),
        Pair("Interval", words.interval(interval)),
        Pair("Synchronization Disabled", str(bool(found["synchronization_disabled"]))),
    ]
    if found["last_started_at"]:
        pairs.append(Pair("Last session", at=found["last_started_at"]))
    if found["due_at"]:
        pairs.append(Pair("Next due", at=found["due_at"]))
    return pairs


@dataclass(frozen=True, slots=True)
class Bar:
    """One line for one cause: what, facts beside it, how many users it holds back, where they are, what to do."""

    icon: str
    title: str
    facts: tuple[Pair, ...]
    users: int
    href: str
    advice: Mapping[str, Any] | None = None
    where: str = ""


def causes(found: Mapping[str, Any], path: str) -> list[Bar]:
    """Return why users of an organization do not sync: it is off, else what two or more of them fail for."""
    if not found["sync_enabled"]:
        return [_off(found, path)]
    return [_cause(cause, path) for cause in found["causes"]]


def anywhere(cause: Mapping[str, Any]) -> Bar:
    """Return one open cause of any organization, which it names first."""
    path = organization_path(cause["organization_id"])
    bar, where = _cause(cause, path), str(cause["organization"])
    return replace(bar, facts=(Pair("organization", where, href=path), *bar.facts), where=where)


def _off(found: Mapping[str, Any], path: str) -> Bar:
    said = [Pair("why", vocabulary.words(vocabulary.DISABLED_REASON, found["disabled_reason"] or "other"))]
    if found["flag_since"]:
        said.append(Pair("since", at=found["flag_since"]))
    if found["flag_actor"]:
        said.append(Pair("by", actor_words(found["flag_actor"])))
    href = asked(path, status="disabled")
    return Bar("slash-ring", "Synchronization Disabled", tuple(said), found["users"], href)


def _cause(cause: Mapping[str, Any], path: str) -> Bar:
    source, category, code = cause["source"], cause["category"], cause["code"]
    title = ", ".join(
        (vocabulary.words(vocabulary.ERROR_SOURCE, source), vocabulary.words(vocabulary.ERROR_CATEGORY, category))
    )
    said = [Pair("code", code)] if code else []
    said.append(Pair("first hit", at=cause["since"]))
    if cause["grown"]:
        said.append(Pair("growth", f"+{words.number(cause['grown'])} in 10 min"))
    if changed := cause["changed"]:
        said.append(Pair("changed then", f"agent {changed['was']} → {changed['became']},", at=changed["at"]))
    href = failing_href(path, cause)
    return Bar("octagon-x", title, tuple(said), cause["users"], href, asdict(advice(source, category, code)))


def failing_href(path: str, error: Mapping[str, Any]) -> str:
    """Return the users of an organization that fail for this source, category and code now."""
    code = f"eq:{error['code']}" if error["code"] else "has:empty"
    return asked(path, status="failing", **exactly(error), error_code=code)


def exactly(kind: Mapping[str, Any]) -> dict[str, str]:
    """Return the filters that find a kind of error, and no other, in a list of sessions or users."""
    return {
        "error_source": filters.exactly(vocabulary.ERROR_SOURCE, kind["source"]),
        "error_category": filters.exactly(vocabulary.ERROR_CATEGORY, kind["category"]),
    }
