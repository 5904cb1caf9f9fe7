"""What each column of the registry is in SQL: constants only, nothing that anybody sent.

Pure. One letter per table: o organization, u sync_user, us user_status, s sync_session, t session_text, i sync_issue.
Statements are put together from these in `statements`, which binds what stands for a moment; whole statements stand in
`schemas/sql/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from schemas.kinds import Failure
from schemas.reasons import REASONS
from schemas.recent import ID_BYTE, MISSING_BYTES, STATUS_BYTES
from schemas.vocabulary import CRM_SYSTEM, ERROR_CATEGORY, ERROR_SOURCE, MAIL_SYSTEM, SESSION_STATUS, Words


@dataclass(frozen=True, slots=True)
class Sql:
    """One column. `value` is the raw value, `until` the end of a period.

    `keys` are folded columns with a trigram index that *contains* looks in, `exact` the columns that `eq:` compares.
    `via` wraps a test on a table that is not read for the page: {} is the test. `order` sorts where `value` should not.
    `element`: the raw value in one row of what the column holds, where `via` opens it.
    `implies` holds for whatever a filter on the value can find: the predicate of a partial index, word for word.
    """

    value: str
    until: str = ""
    keys: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    via: str = ""
    element: str = ""
    order: str = ""
    nullable: bool = True
    words: str = ""  # of a direction: the names of the session's own systems
    implies: str = ""


def literal(text: str) -> str:
    """Return a constant of ours as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def said(value: str, words: Words, other: str) -> str:
    """Return the SQL that puts words for slugs, and `other` for a slug without words."""
    arms = " ".join(f"WHEN {literal(slug)} THEN {literal(word)}" for slug, word in words.items())
    return f"CASE {value} {arms} ELSE {other} END"


def direction(alias: str, slug: str) -> str:
    """Return the SQL of a direction in the names of the systems that stand beside it: "Exchange to Salesforce"."""
    mail = f"coalesce({said(f'{alias}.mail_system', MAIL_SYSTEM, f'{alias}.mail_system')}, 'mail')"
    crm = f"coalesce({said(f'{alias}.crm_system', CRM_SYSTEM, f'{alias}.crm_system')}, 'CRM')"
    return f"CASE WHEN {slug} = 'mail_to_crm' THEN {mail} || ' to ' || {crm} ELSE {crm} || ' to ' || {mail} END"


WHY: Final[Words] = MappingProxyType({**REASONS, "session_finished": ""})
"""The fact that decided a user's status, in words; who is healthy needs none."""

_CATEGORY_ARM: Final = "CASE WHEN us.status = 'failing' AND us.error_category IS NOT NULL THEN us.error_category END"
_ROW_ARM: Final = (
    "CASE WHEN us.status = 'failing' AND us.in_a_row > 1 THEN ', ' || us.in_a_row || ' in a row' ELSE '' END"
)


def _why() -> str:
    category = said(_CATEGORY_ARM, ERROR_CATEGORY, f"'caused by ' || ({_CATEGORY_ARM})")
    reason = said("us.reason", WHY, "replace(us.reason, '_', ' ')")
    return f"coalesce({category}, {reason}) || {_ROW_ARM}"


NOTHING_SAID: Final = Failure()
"""What an error is of which nothing was said: in lists, figures and metrics alike. `details.sql` says the same."""


def _of_error(alias: str, status: str) -> dict[str, str]:
    # A session that failed has a source and a category; one that did not reads as nothing.
    failed = f"{alias}.{status} IN ('errors', 'timed_out')"
    return {
        name: f"CASE WHEN {alias}.{name} IS NULL AND {failed} THEN {literal(absent)} ELSE {alias}.{name} END"
        for name, absent in (("error_source", NOTHING_SAID.source), ("error_category", NOTHING_SAID.category))
    }


# With OFFSET a look is a look, row by row in the order of the page, and never a join of everything with everything.
def _of_user(alias: str) -> str:
    return (
        f"EXISTS (SELECT FROM sync_user u WHERE u.organization_id = {alias}.organization_id "
        f"AND u.user_id = {alias}.user_id AND ({{}}) OFFSET 0)"
    )


def _of_organization(alias: str) -> str:
    return f"EXISTS (SELECT FROM organization o WHERE o.organization_id = {alias}.organization_id AND ({{}}) OFFSET 0)"


def _user(alias: str, via: str) -> dict[str, Sql]:
    return {
        "user": Sql(
            f"coalesce(u.display_name, u.email, {alias}.user_id::text)", keys=("u.name_key", "u.email_key"),
            exact=("u.display_name", "u.email"), via=via, order="u.name_key",
        ),
        "email": Sql("u.email", keys=("u.email_key",), exact=("u.email",), via=via),
    }  # fmt: skip


def _organization(alias: str, via: str) -> Sql:
    return Sql(
        f"coalesce(o.name, {alias}.organization_id::text)", keys=("o.name_key",), exact=("o.name",), via=via,
        order="o.name_key",
    )  # fmt: skip


def _plain(alias: str, *names: str) -> dict[str, Sql]:
    return {name: Sql(f"{alias}.{name}") for name in names}


def _sure(alias: str, *names: str) -> dict[str, Sql]:
    return {name: Sql(f"{alias}.{name}", nullable=False) for name in names}


def _error_slugs(alias: str) -> tuple[str, str]:
    source = f"coalesce({alias}.error_source, {literal(NOTHING_SAID.source)})"
    return source, f"coalesce({alias}.error_category, {literal(NOTHING_SAID.category)})"


def _error_exact(alias: str) -> str:
    """Return the SQL of an error's kind as `vocabulary.error_kind` writes it: what reads alike may differ."""
    return " || ': ' || ".join(_error_slugs(alias))


def _error_kind(alias: str) -> str:
    """Return the SQL of an error's source and category in words: "Salesforce caused by throttling"."""
    source, category = _error_slugs(alias)
    return f"{said(source, ERROR_SOURCE, source)} || ' ' || {said(category, ERROR_CATEGORY, category)}"


FIRST_HOUR: Final = "$first_hour"
"""Stands for the first of the hours that the Overview counts."""
LATEST_START: Final = "$latest_start"
"""Stands for what no session starts after."""
FAILED: Final = (
    f"s.status IN ('errors', 'timed_out') AND s.started_at >= {FIRST_HOUR} AND s.started_at < {LATEST_START}"
)
"""A failed session of those hours; sync_session_failed holds them alone."""


def _failed_for(alias: str, *ids: str) -> Sql:
    """Return the kinds of errors that failed sessions of somebody had, in words."""
    own = " AND ".join(f"s.{name} = {alias}.{name}" for name in ids)
    failed = f"FROM sync_session s WHERE {own} AND {FAILED}"
    kinds = f"SELECT {_error_kind('s')} AS kind FROM (SELECT DISTINCT s.error_source, s.error_category {failed}) s"
    return Sql(
        f"(SELECT string_agg(DISTINCT kind, '; ' ORDER BY kind) FROM ({kinds}) kinds)",
        element=_error_kind("s"), exact=(_error_exact("s"),), via=f"EXISTS (SELECT {failed} AND ({{}}) OFFSET 0)",
    )  # fmt: skip


_FAILING: Final = "FROM user_status us WHERE us.organization_id = o.organization_id AND us.status_rank = 0"
_ERROR_KIND: Final = _error_kind("us")
_ERROR_KINDS: Final = f"SELECT {_ERROR_KIND} AS kind {_FAILING}"
ORGANIZATIONS: Final[Mapping[str, Sql]] = MappingProxyType(
    {
        "name": _organization("o", ""),
        "synchronization_status": Sql("CASE WHEN o.sync_enabled THEN 'enabled' ELSE 'disabled' END", nullable=False),
        "health": Sql("o.health", nullable=False),
        "failing_share": Sql(
            "CASE WHEN o.users > o.disabled THEN round(100.0 * o.failing / (o.users - o.disabled), 1)::float8 END"
        ),
        "failing_for": Sql(
            f"(SELECT string_agg(DISTINCT kind, '; ' ORDER BY kind) FROM ({_ERROR_KINDS}) us)",
            element=_ERROR_KIND, exact=(_error_exact("us"),), via=f"EXISTS (SELECT {_FAILING} AND ({{}}) OFFSET 0)",
        ),
        "failed_for": _failed_for("o", "organization_id"),
        "health_since": Sql("o.health_since"),
        "last_session": Sql("o.last_session_at"),
        **_plain("o", "mail_system", "crm_system", "external_id"),
        **_sure("o", "users", "healthy", "failing", "late", "disabled", "errors_24h", "stuck", "partial", "new"),
        **_sure("o", "organization_id"),
    }
)  # fmt: skip

_LAST_TEXT: Final = (
    "EXISTS (SELECT FROM session_text t WHERE t.started_at = us.last_started_at AND t.session_id = us.last_session_id "
    "AND ({}) OFFSET 0)"
)
_FIRST_STATUS, _TO_NEXT_STATUS, _STATUS_OF_BYTE = STATUS_BYTES
_LAST_20: Final = f"CASE WHEN octet_length(us.recent) > {_FIRST_STATUS} THEN us.recent END"  # a header alone holds none
_LAST_20_PLACES: Final = (
    f"generate_series({_FIRST_STATUS}, octet_length(us.recent) - 1, {_TO_NEXT_STATUS}) AS status_at"
)
_LAST_20_ROWS: Final = f"EXISTS (SELECT FROM {_LAST_20_PLACES} WHERE {{}})"
_TO_MISSING, _MISSING_SIZE = MISSING_BYTES
_NONE_MISSING: Final = f"'\\x{'00' * _MISSING_SIZE}'::bytea"
_LAST_AT: Final = "nullif(position(uuid_send(us.last_session_id) IN us.recent), 0)"
_LAST_COMPLETE: Final = (  # incomplete_reports in silence.sql says the same
    "(us.last_status IS NOT DISTINCT FROM 'running' OR "
    f"coalesce(substring(us.recent FROM {_LAST_AT} + {_TO_MISSING} FOR {_MISSING_SIZE}) = {_NONE_MISSING}, true))"
)
_LAST_20_STATUS: Final = "CASE get_byte(us.recent, status_at) {} END".format(
    " ".join(f"WHEN {byte} THEN {literal(status)}" for byte, status in _STATUS_OF_BYTE.items())
)
_LAST_20_COMPLETE: Final = (
    f"substring(us.recent FROM status_at + 1 + {ID_BYTE + _TO_MISSING} FOR {_MISSING_SIZE}) = {_NONE_MISSING}"
)
_LAST_20_OUTCOME: Final = (
    f"CASE WHEN {_LAST_20_STATUS} <> 'finished' OR {_LAST_20_COMPLETE} "
    f"THEN {said(_LAST_20_STATUS, SESSION_STATUS, _LAST_20_STATUS)} ELSE 'report incomplete' END"
)
LAST_20_SLUGS: Final = f"(SELECT string_agg({_LAST_20_STATUS}, ' ' ORDER BY status_at DESC) FROM {_LAST_20_PLACES})"
"""The last 20 sessions in one text: their statuses, the oldest first."""
LAST_20_WORDS: Final = (
    "(SELECT string_agg(sessions || ' ' || outcome, ', ' ORDER BY sessions DESC, oldest DESC) "
    f"FROM (SELECT {_LAST_20_OUTCOME} AS outcome, count(*) AS sessions, max(status_at) AS oldest "
    f"FROM {_LAST_20_PLACES} GROUP BY 1) counted)"
)
"""The same as their strip is read: `9 finished, 2 errors`."""
USERS: Final[Mapping[str, Sql]] = MappingProxyType(
    {
        **_user("us", _of_user("us")),
        "organization": _organization("us", _of_organization("us")),
        "synchronization_disabled": Sql("NOT u.sync_enabled", via=_of_user("us"), nullable=False),
        "status": Sql("us.status", nullable=False),
        "why": Sql(_why()),
        "last_20": Sql(_LAST_20, element=_LAST_20_STATUS, via=_LAST_20_ROWS),
        "last_session": Sql("us.last_started_at", until="us.last_ended_at"),
        "session_status": Sql("us.last_status"),
        **{name: Sql(value) for name, value in _of_error("us", "last_status").items()},
        "exception": Sql("coalesce(t.exception, t.message)", via=_LAST_TEXT),
        "next_due": Sql("us.due_at"),
        "failed_for": _failed_for("us", "organization_id", "user_id"),
        "report_complete": Sql(_LAST_COMPLETE, nullable=False),
        "agent": Sql("us.agent_id"),
        "status_since": Sql("us.since"),
        "disabled_since": Sql("CASE WHEN NOT u.sync_enabled THEN u.flag_since END", via=_of_user("us")),
        "disabled_reason": Sql("CASE WHEN NOT u.sync_enabled THEN u.disabled_reason END", via=_of_user("us")),
        **_plain("us", "objects", "changes", "failures", "total_changes", "conflicts", "issues"),
        **_plain("us", "error_code", "failing_since", "in_a_row"),
        **{name: Sql(f"u.{name}", via=_of_user("us")) for name in ("mail_system", "crm_system", "external_id")},
        **_sure("us", "user_id", "organization_id"),
    }
)

_SESSION_TEXT: Final = (
    "EXISTS (SELECT FROM session_text t WHERE t.started_at = s.started_at AND t.session_id = s.session_id "
    "AND ({}) OFFSET 0)"
)
_REPORT_ROWS: Final = "EXISTS (SELECT FROM jsonb_array_elements(s.report) AS report_row WHERE {})"
# Errors are few; sync_session_with_error and sync_session_with_error_all hold them alone.
WITH_ERROR: Final = "(s.error_source IS NOT NULL OR s.status IN ('errors', 'timed_out'))"
ENDED: Final = "coalesce(s.ended_at, s.timed_out_at)"
SESSIONS: Final[Mapping[str, Sql]] = MappingProxyType(
    {
        **_user("s", _of_user("s")),
        "organization": _organization("s", _of_organization("s")),
        "run": Sql("s.started_at", until=ENDED, nullable=False),
        "report": Sql("s.report", element="report_row ->> 'type'", via=_REPORT_ROWS),
        **{name: Sql(value, implies=WITH_ERROR) for name, value in _of_error("s", "status").items()},
        "error_code": Sql("s.error_code", implies=WITH_ERROR),
        "exception": Sql("coalesce(t.exception, t.message, s.error_message)", via=_SESSION_TEXT, implies=WITH_ERROR),
        "duration": Sql(f"extract(epoch FROM {ENDED} - s.started_at)::float8"),
        "agent": Sql("s.agent_id", nullable=False),
        "retryable": Sql("s.error_retryable", implies=WITH_ERROR),
        "report_complete": Sql("(s.status = 'running' OR s.issues_arrived >= s.issues_sent)", nullable=False),
        "log_complete": Sql("(s.log_chunks_dropped = 0)", nullable=False),
        "ended_at": Sql(ENDED),
        **_plain("s", "trigger", "mode", "mail_system", "crm_system", "status_detail"),
        **_sure("s", "status", "objects", "changes", "failures", "total_changes", "conflicts", "issues", "attempt"),
        **_sure("s", "session_id", "user_id", "organization_id"),
    }
)

_LAST_OF_USER: Final = (
    "EXISTS (SELECT FROM user_status us WHERE us.organization_id = i.organization_id AND us.user_id = i.user_id "
    "AND us.last_session_id = i.session_id AND us.last_started_at = i.session_started_at OFFSET 0)"
)
ISSUES: Final[Mapping[str, Sql]] = MappingProxyType(
    {
        **_user("i", _of_user("i")),
        "organization": _organization("i", _of_organization("i")),
        "type": Sql("i.object_type", nullable=False),
        "name": Sql("i.object_name"),
        "direction": Sql("i.direction", words=direction("i", "i.direction"), nullable=False),
        "session": Sql("i.session_started_at", nullable=False),
        "first_seen": Sql("i.first_seen_at", nullable=False),
        "last_seen": Sql("i.last_seen_at", nullable=False),
        "in_last_session": Sql(_LAST_OF_USER, nullable=False),
        "retryable": Sql("i.error_retryable"),
        **_sure("i", "operation", "error_code", "times", "state", "issue_id", "user_id", "organization_id"),
        **_plain("i", "error_text", "closed_at", "resolution", "error_source", "error_category", "attempts"),
        **_plain("i", "failure_code", "object_id", "counterpart_id"),
    }
)

OF_KIND: Final[Mapping[str, Mapping[str, Sql]]] = MappingProxyType(
    {"organizations": ORGANIZATIONS, "users": USERS, "sessions": SESSIONS, "issues": ISSUES}
)

# What every row carries besides its columns: whose it is, its links, and what colours it.
ALWAYS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "organizations": {
            "organization_id": "o.organization_id",
            "synchronization_status": ORGANIZATIONS["synchronization_status"].value,
            "disabled_reason": "o.disabled_reason",
        },
        "users": {
            "organization_id": "us.organization_id",
            "organization": USERS["organization"].value,
            "organization_enabled": "coalesce(o.sync_enabled, true)",
            "user_id": "us.user_id",
            "user": USERS["user"].value,
            "email": "u.email",
            "synchronization_disabled": USERS["synchronization_disabled"].value,
            "status": "us.status",
            "last_session_id": "us.last_session_id",
            "last_started_at": "us.last_started_at",
            "last_ended_at": "us.last_ended_at",
            "session_report_complete": USERS["report_complete"].value,
            "changed_at": "us.changed_at",
        },
        "sessions": {
            "organization_id": "s.organization_id",
            "organization": SESSIONS["organization"].value,
            "user_id": "s.user_id",
            "user": SESSIONS["user"].value,
            "email": "u.email",
            "user_disabled": "coalesce(NOT u.sync_enabled, false)",
            "session_id": "s.session_id",
            "run": "s.started_at",
            "ended_at": ENDED,
            "status": "s.status",
            "status_detail": "s.status_detail",
            "timed_out_at": "s.timed_out_at",
            "report_complete": SESSIONS["report_complete"].value,
            "mail_system": "s.mail_system",
            "crm_system": "s.crm_system",
            "changed_at": "s.appended_at",
        },
        "issues": {
            "organization_id": "i.organization_id",
            "organization": ISSUES["organization"].value,
            "user_id": "i.user_id",
            "user": ISSUES["user"].value,
            "issue_id": "i.issue_id",
            "session_id": "i.session_id",
            "session_started_at": "i.session_started_at",
            "state": "i.state",
            "error_code": "i.error_code",
            "error_source": "i.error_source",
            "error_category": "i.error_category",
            "failure_code": "i.failure_code",
            "mail_system": "i.mail_system",
            "crm_system": "i.crm_system",
        },
    }
)
