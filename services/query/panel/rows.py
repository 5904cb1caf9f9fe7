"""One row of a list as its cells want it: values in words, links, second lines, texts to copy. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from schemas import vocabulary
from schemas.columns import LISTS, Column, ListView, Type
from services.query.formulas import tabbed
from services.query.hours import DAY, first_hour
from services.query.panel import words
from services.query.panel.parts import Clock, outcome

Values = Mapping[str, Any]
_REPORT_COMPLETE: Final = {"status": "report_complete", "session_status": "session_report_complete"}
"""By the column of a session's status: what says whether its report is complete. The status of a user has none."""
_TOLD: Final[Mapping[str, tuple[Column, ...]]] = {
    name: tuple(
        column for column in view.columns
        if column.type in {Type.OPEN_LIST, Type.DIRECTION, Type.BOOLEAN}
        or column.name in {*_REPORT_COMPLETE, "operation", "state"}
    )
    for name, view in LISTS.items()
}  # fmt: skip
"""By the name of a list: the columns whose cells do not take every value as it is stored."""
WHOLE_EXCEPTION: Final = 1000  # lists hold the first 1,000 characters
_COUNTS: Final = (
    ("fetched", "Fetched"), ("created", "Create"), ("updated", "Update"), ("deleted", "Delete"),
    ("skipped", "Skipped"), ("failed", "Failed"), ("conflicts", "Conflicts"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: `values` by column name as shown, `slugs` as stored, and what hangs on them."""

    key: str
    values: Values
    slugs: Values
    href: str = ""
    details_href: str = ""
    logs_href: str = ""
    exception_href: str = ""
    red: bool = False
    links: Mapping[str, str]
    second: Mapping[str, Any]
    copies: Mapping[str, str]

    @property
    def email(self) -> str:
        """Return the user's address, where the row is of a user and it is known."""
        return self.slugs.get("email") or ""


def row(view: ListView, found: Values, clock: Clock) -> Row:
    """Return a row of a list as its cells want it."""
    values = dict(found) | {column.name: shown(column, found) for column in _TOLD[view.name] if column.name in found}
    made = _BY_KIND[view.kind](view, found, clock)
    return Row(values=values, slugs=found, **({"links": {}, "second": {}, "copies": {}} | made))


def shown(column: Column, found: Values) -> Any:
    """Return a value as its cell takes it: slugs of open lists in words, everything that is drawn as it is."""
    value = found[column.name]
    if value is not None and (complete := found.get(_REPORT_COMPLETE.get(column.name, ""))) is not None:
        return outcome(value, complete)
    if column.type is Type.OPEN_LIST:
        return vocabulary.words(column.words or {}, value) or None
    if column.type is Type.DIRECTION and value is not None:
        return words.direction(value, found.get("mail_system"), found.get("crm_system"))
    if column.type is Type.LIST and column.name in {"operation", "state"}:
        return vocabulary.words(column.words or {}, value)
    if column.type is Type.BOOLEAN and column.name != "synchronization_disabled":
        return None if value is None else str(bool(value))
    return value


def organization_path(organization_id: object) -> str:
    """Return where one organization is."""
    return f"/organizations/{organization_id}"


def user_path(organization_id: object, user_id: object) -> str:
    """Return where one user is."""
    return f"/users/{organization_id}/{user_id}"


def session_path(key: str) -> str:
    """Return where one session's job details are."""
    return f"/sessions/{quote(key, safe='')}"


def instant(at: datetime, zone: ZoneInfo) -> str:
    """Return a moment as a filter takes it, with its offset."""
    return at.astimezone(zone).isoformat()


def asked(path: str, **filters: str) -> str:
    """Return a list's address with filters, each percent-encoded: a plus stays a plus."""
    return f"{path}?{_encoded(**filters)}"


@lru_cache(1024)
def _encoded(**filters: str) -> str:
    """Return filters as a query; those of a list's links are the same in each of its rows."""
    return urlencode(filters, quote_via=quote)


def _organization(view: ListView, found: Values, clock: Clock) -> dict[str, Any]:
    path = organization_path(found["organization_id"])
    links = {status: asked(path, status=status, tz=clock.zone.key) for status in vocabulary.USER_STATUS}
    first = first_hour(clock.counted_to)
    day = f"{instant(first, clock.zone)}..{instant(first + timedelta(hours=DAY), clock.zone)}"
    return {
        "key": str(found["organization_id"]),
        "href": path,
        "red": found["synchronization_status"] == "disabled",
        "links": links | {
            "users": path,
            "errors_24h": asked(f"{path}/statistics", status="errors,timed_out", run=day, tz=clock.zone.key),
        },
    }  # fmt: skip


def _user(view: ListView, found: Values, clock: Clock) -> dict[str, Any]:
    path = user_path(found["organization_id"], found["user_id"])
    return {
        "key": f"{found['organization_id']}.{found['user_id']}",
        "href": path,
        "red": bool(found["synchronization_disabled"]) or found["status"] == "disabled",
        "links": {"organization": organization_path(found["organization_id"]), "issues": f"{path}/issues"},
    }


def _session(view: ListView, found: Values, clock: Clock) -> dict[str, Any]:
    path = session_path(found["key"])
    report: Sequence[Values] = found.get("report") or ()
    exception = found.get("exception")
    return {
        "key": found["key"],
        "href": path if view.name == "user_sessions" else user_path(found["organization_id"], found["user_id"]),
        "details_href": path,
        "logs_href": f"/api/v1{path}/logs.zip",
        "exception_href": f"{path}/exception" if exception and _needs_fetching(exception) else "",
        "links": {"organization": organization_path(found["organization_id"]), "issues": f"{path}#issues"},
        "second": {"status": _second_of_status(found, clock), "report": report_lines(report)},
        "copies": {"report": report_text(report, found.get("mail_system"), found.get("crm_system"))},
    }


def status_detail(found: Values, clock: Clock) -> str:
    """Return what stands beside a session's status: that the service closed it, and the agent's own words."""
    closing = words.closing(found["status"], found["timed_out_at"], clock.zone, clock.now)
    return "; ".join(filter(None, (closing, found["status_detail"])))


def _second_of_status(found: Values, clock: Clock) -> str:
    is_said = found["report_complete"] or found["status"] == "finished"  # there it is the status
    return "; ".join(filter(None, ("" if is_said else "report incomplete", status_detail(found, clock))))


def _needs_fetching(exception: str) -> bool:
    """Whether the page does not hold it byte for byte: cut, or with line ends that HTML makes into others."""
    return len(exception) >= WHOLE_EXCEPTION or "\r" in exception


def _issue(view: ListView, found: Values, clock: Clock) -> dict[str, Any]:
    user = user_path(found["organization_id"], found["user_id"])
    return {
        "key": str(found["issue_id"]),
        "href": f"{user}/issues",
        "links": {
            "organization": organization_path(found["organization_id"]),
            "session": session_path(found["session_key"]) if found.get("session_key") else "",
        },
    }


_BY_KIND: Final = {"organizations": _organization, "users": _user, "sessions": _session, "issues": _issue}


def report_lines(report: Sequence[Values]) -> list[tuple[str, str]]:
    """Return the objects by type, the most first: `E-Mail`, `226`, then `Appointment`, `137`."""
    sums: dict[str, int] = {}
    for each in report:
        sums[each["type"]] = sums.get(each["type"], 0) + (each.get("fetched") or 0)
    order = sorted(sums, key=lambda slug: -sums[slug])
    return [(vocabulary.words(vocabulary.OBJECT_TYPE, slug), f"{sums[slug]:,}") for slug in order]


def report_text(report: Sequence[Values], mail_system: str | None, crm_system: str | None) -> str:
    """Return the detailed report as tab-separated lines with a header, for spreadsheets and tickets; see `formulas`."""
    if not report:
        return ""
    lines = ["\t".join(("Type", "Direction", *(title for _, title in _COUNTS)))]
    for each in report:
        direction = words.direction(each["direction"], mail_system, crm_system)
        kind = vocabulary.words(vocabulary.OBJECT_TYPE, each["type"])
        lines.append("\t".join((tabbed(kind), tabbed(direction), *(str(each.get(name) or 0) for name, _ in _COUNTS))))
    return "\n".join(lines)
