"""Slug -> words of every list: slugs on the wire, in URLs, API and metrics; words in panel and CSV; filters take both.

Open lists may hold any slug: `words` shows an unknown one as sent, metrics count it as `other`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

Words = Mapping[str, str]


def _frozen(**words: str) -> Words:
    return MappingProxyType(words)


# Closed lists: another value is refused.
SESSION_STATUS: Final = _frozen(
    errors="errors",
    timed_out="timed out",
    finished_with_issues="finished with issues",
    running="running",
    cancelled="cancelled",
    finished="finished",
)
SESSION_RANK: Final[Mapping[str, int]] = MappingProxyType(
    {"errors": 0, "timed_out": 0, "finished_with_issues": 1, "running": 2, "cancelled": 3, "finished": 4}
)
USER_STATUS: Final = _frozen(
    failing="failing",
    stuck="stuck",
    late="late",
    partial="partial",
    new="new",
    healthy="healthy",
    disabled="disabled",
)
USER_RANK: Final[Mapping[str, int]] = MappingProxyType({slug: rank for rank, slug in enumerate(USER_STATUS)})
ORGANIZATION_HEALTH: Final = _frozen(down="down", degraded="degraded", quiet="quiet", ok="ok", disabled="disabled")
HEALTH_RANK: Final[Mapping[str, int]] = MappingProxyType({slug: rank for rank, slug in enumerate(ORGANIZATION_HEALTH)})
ISSUE_STATE: Final = _frozen(open="open", resolved="resolved", regressed="regressed")
DIRECTION: Final = _frozen(mail_to_crm="mail to CRM", crm_to_mail="CRM to mail")
OPERATION: Final = _frozen(create="Create", update="Update", delete="Delete")
ERROR_CODE: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "object is active / success result",
        1: "object is locked / an error in the operation",
        2: "object is already removed in a storage",
        3: "object is inaccessible / updated prematurely in a storage",
    }
)
LOG_LEVEL: Final = _frozen(debug="debug", info="info", warning="warning", error="error")

# Open lists: the known ones first, others are shown as sent.
ERROR_SOURCE: Final = _frozen(
    exchange="Microsoft Exchange",
    connector="Connector",
    unknown="Unknown",
    office365="Office 365",
    gmail="Gmail",
    salesforce="Salesforce",
    calendar="Calendar",
    crm="CRM",
)
ERROR_CATEGORY: Final = _frozen(
    authentication="caused by authentication issues",
    authorization="caused by authorization issues",
    throttling="caused by throttling",
    connectivity="caused by connectivity issues",
    configuration="caused by configuration issues",
    validation="caused by invalid data",
    not_found="caused by a missing object",
    locked="caused by a locked object",
    conflict="caused by a conflict",
    duplicate="caused by a duplicate",
    quota="caused by an exhausted quota",
    data_format="caused by an unreadable format",
    timeout="caused by a timeout",
    internal="caused by an internal error",
    other="caused by another cause",
)


def error_kind(source: str, category: str) -> str:
    """Return what an error is of as one slug: `gmail: quota`."""
    return f"{source}: {category}"


ERROR_KIND: Final[Words] = MappingProxyType(
    {
        error_kind(source, category): f"{words} {cause}"
        for source, words in ERROR_SOURCE.items()
        for category, cause in ERROR_CATEGORY.items()
    }
)
OBJECT_TYPE: Final = _frozen(email="E-Mail", appointment="Appointment", contact="Contact", task="Task")
MAIL_SYSTEM: Final = _frozen(exchange="Exchange", office365="Office 365", gmail="Gmail", caldav="CalDAV", imap="IMAP")
CRM_SYSTEM: Final = _frozen(salesforce="Salesforce", postgres_crm="Postgres CRM", crm="CRM")
LOG_SOURCE: Final = _frozen(mail="mail", crm="CRM", engine="engine", agent="agent")
TRIGGER: Final = _frozen(
    schedule="schedule", manual="by hand", force="force sync", initial="initial sync", retry="retry", push="push"
)
MODE: Final = _frozen(full="full", incremental="incremental")
DISABLED_REASON: Final = _frozen(
    manual="switched off by hand",
    authorization="switched off after refused authorization",
    throttling="switched off after throttling",
    other="switched off",
)
RESOLUTION: Final = _frozen(synced="synced", removed="removed", ignored="ignored")


def words(of: Words, slug: str | None) -> str:
    """Return the words for a slug; one that is not listed is shown as it was sent, nothing as nothing."""
    return "" if slug is None else of.get(slug, slug)


def listed(of: Words, slug: str | None) -> str:
    """Return the slug if it is listed, else `other`: labels of metrics must be a closed set."""
    return slug if slug is not None and slug in of else "other"


def direction_words(direction: str, mail_system: str | None, crm_system: str | None) -> str:
    """Return a direction in the names of that session's systems: "Exchange to Salesforce"."""
    mail = words(MAIL_SYSTEM, mail_system) or "mail"
    crm = words(CRM_SYSTEM, crm_system) or "CRM"
    return f"{mail} to {crm}" if direction == "mail_to_crm" else f"{crm} to {mail}"
