"""The column registry: what every list can show, filter and sort by.

The lists, the CSV, the filter parser, the OpenAPI document and the panel are fed from here, so they cannot disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

from schemas import vocabulary
from schemas.vocabulary import Words


class Type(Enum):
    """What a column holds; it decides the operators, the JSON type and how the value reads."""

    TEXT = "text"
    LIST = "list"  # a closed list of slugs
    OPEN_LIST = "open_list"  # slugs, with words for the known ones
    DIRECTION = "direction"  # a slug that reads in the names of the session's own systems
    BOOLEAN = "boolean"
    NUMBER = "number"
    SHARE = "share"  # percent, one decimal
    CODE = "code"  # a number that reads with its meaning
    SECONDS = "seconds"
    TIME = "time"
    PERIOD = "period"  # from a time to another; filtered and sorted by its start
    ID = "id"
    REPORT = "report"  # objects by type and direction
    STRIP = "strip"  # the last 20 sessions; filtered by the statuses in it


CLOSED: Final = frozenset({Type.LIST, Type.STRIP})
"""Types whose filter names words of a closed list."""

_OF_TIME: Final = (
    "24h", "7d", "today", "yesterday", "2026-11-01", "2026-11-01..2026-11-08 (end excluded)", "2026-11-01T09:00..",
    "not:", "has:empty",
)  # fmt: skip
_OPERATORS: Final[Mapping[Type, tuple[str, ...]]] = MappingProxyType(
    {
        Type.TEXT: ("contains", "eq:", "not:", "has:empty"),
        Type.LIST: ("word or slug, or its beginning", "comma = or", "not:", "has:empty"),
        Type.OPEN_LIST: ("contains", "comma = or", "eq:", "not:", "has:empty"),
        Type.DIRECTION: ("contains", "comma = or", "eq:", "not:", "has:empty"),
        Type.BOOLEAN: ("true", "false", "not:", "has:empty"),
        Type.NUMBER: ("5", "5..9", "5..", "..9", ">=5", "<=9", "not:", "has:empty"),
        Type.SHARE: ("5", "5..9", "5..", "..9", ">=5", "<=9", "not:", "has:empty"),
        Type.CODE: ("5", "comma = or", "5..9", "5..", "..9", ">=5", "<=9", "not:", "has:empty"),
        Type.SECONDS: ("5", "5..9", "5..", "..9", ">=5", "<=9", "not:", "has:empty"),
        Type.TIME: _OF_TIME,
        Type.PERIOD: _OF_TIME,
        Type.ID: ("the whole id", "comma = or", "not:", "has:empty"),
        Type.REPORT: ("contains", "comma = or", "eq:", "not:", "has:empty"),  # of the types in it
        Type.STRIP: ("word or slug, or its beginning", "comma = or", "not:", "has:empty"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a list.

    `name` is the parameter of its filter, its member in JSON and its name in `columns=` and `sort=`; `title` is what
    people read. `csv_title` differs where two columns share a title. `hidden` columns are shown on demand and can be
    filtered all the same. `sortable`: whether `sort=` takes it at all; wide views take only what has an index.
    """

    name: str
    title: str
    type: Type
    description: str
    words: Words | None = None
    sortable: bool = True
    hidden: bool = False
    csv_title: str = ""
    aliases: tuple[str, ...] = ()
    personal: bool = False  # names of objects: masked for support until revealed
    holds_names: bool = False  # a text of an agent: names of objects are masked in it

    @property
    def operators(self) -> tuple[str, ...]:
        """Return how its filter may be written; empty when it has none."""
        return _OPERATORS[self.type]

    def sorts(self, masked: bool) -> bool:
        """Whether a list can be sorted by it, by whom names are `masked` for or not: an order tells what is masked."""
        return self.sortable and not (masked and (self.personal or self.holds_names))

    @property
    def heading(self) -> str:
        """Return its title in a CSV, which is unique there."""
        return self.csv_title or self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """One list: its columns in order, its default order, and the filter a first visit gets.

    `kind` is what a row is: organizations, users, sessions or issues. `default_filter` applies in the panel only when
    the URL does not name that column at all; the API has no hidden filter.
    """

    name: str
    title: str
    kind: str
    columns: tuple[Column, ...]
    default_sort: str
    default_filter: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    csv_tail: tuple[str, ...] = ()  # columns that its CSV always ends with, also when hidden
    csv_beside: tuple[str, ...] = ()  # columns that its CSV has at the end when hidden: rows show them beside another

    def column(self, name: str) -> Column | None:
        """Return the column called `name`, by alias too."""
        return next((each for each in self.columns if name == each.name or name in each.aliases), None)

    @property
    def shown(self) -> tuple[Column, ...]:
        """Return the columns shown by default."""
        return tuple(each for each in self.columns if not each.hidden)


SYNCHRONIZATION_STATUS: Final[Words] = MappingProxyType({"enabled": "enabled", "disabled": "disabled"})
_C = Column
# fmt: off
_MAIL: Final = _C(
    name="mail_system", title="Mail system", type=Type.OPEN_LIST, words=vocabulary.MAIL_SYSTEM,
    description="The mail system that is synchronized.",
)
_CRM: Final = _C(
    name="crm_system", title="CRM", type=Type.OPEN_LIST, words=vocabulary.CRM_SYSTEM, hidden=True,
    description="The CRM that is synchronized.",
)
_ORGANIZATION: Final = _C(
    name="organization", title="Organization", type=Type.TEXT,
    description="The organization's name.",
)
_ORGANIZATION_ID: Final = _C(
    name="organization_id", title="Organization id", type=Type.ID, hidden=True, sortable=False,
    description="The organization's id.",
)
_USER: Final = _C(
    name="user", title="User", type=Type.TEXT,
    description="The user's name, else the e-mail address; the filter looks in both.",
)
_EMAIL: Final = _C(name="email", title="E-mail", type=Type.TEXT, hidden=True, description="The user's e-mail address.")
_USER_ID: Final = _C(
    name="user_id", title="User id", type=Type.ID, hidden=True, sortable=False, description="The user's id."
)

# fmt: on


def _number(name: str, title: str, description: str, *, hidden: bool = False) -> Column:
    return Column(name=name, title=title, type=Type.NUMBER, description=description, hidden=hidden)


def _hidden(*columns: Column) -> tuple[Column, ...]:
    return tuple(_with(column, hidden=True) for column in columns)


def _with(column: Column, **changes: object) -> Column:
    values = {field: getattr(column, field) for field in Column.__dataclass_fields__} | changes
    return Column(**values)


# fmt: off
_FAILED_FOR: Final = _C(
    name="failed_for", title="Failed for, 24 h", type=Type.TEXT, words=vocabulary.ERROR_KIND, hidden=True,
    sortable=False,
    description="What sessions of the user that started in the last 24 whole hours, this one included, failed for: "
    "each error source with its category. Later ones may have gone well. `eq:` takes the two slugs: `eq:gmail: quota`.",
)
# ---------------------------------------------------------------------------------------------- organizations
_ORGANIZATIONS: Final = (
    _C(name="name", title="Name", type=Type.TEXT, description="The organization's name, else its id."),
    _C(
        name="synchronization_status", title="Synchronization Status", type=Type.LIST, words=SYNCHRONIZATION_STATUS,
        description="Whether the organization's synchronization is switched on.",
    ),
    _C(
        name="health", title="Health", type=Type.LIST, words=vocabulary.ORGANIZATION_HEALTH,
        description="down: half or more of its users are failing, stuck, late or disabled by an error; degraded: any.",
    ),
    _MAIL,
    _number("users", "Users", "Users that are present."),
    _number("healthy", "Healthy", "Users whose last session finished clean."),
    _number("failing", "Failing", "Users whose last session ended in errors or timed out."),
    _number("late", "Late", "Users whose next session is overdue."),
    _number("disabled", "Disabled", "Users whose synchronization is switched off, for any reason."),
    _C(
        name="last_session", title="Last session", type=Type.TIME,
        description="When the latest session of its users ended, else started.",
    ),
    _number(
        "errors_24h", "Errors 24 h",
        "Sessions that started in the last 24 whole hours, this one included, and ended in errors or timed out.",
    ),
    _C(
        name="failing_share", title="Failing share", type=Type.SHARE, hidden=True,
        description="Failing users among its users that are not disabled, in percent.",
    ),
    _C(
        name="failing_for", title="Failing for", type=Type.TEXT, words=vocabulary.ERROR_KIND, hidden=True,
        sortable=False,
        description="What users of it fail for now: each error source with its category. `eq:` takes the two slugs: "
        "`eq:gmail: quota`.",
    ),
    _with(
        _FAILED_FOR,
        description="What sessions of it that started in the last 24 whole hours, this one included, failed for: "
        "each error source with its category. `eq:` takes the two slugs: `eq:gmail: quota`.",
    ),
    _C(
        name="health_since", title="Health since", type=Type.TIME, hidden=True,
        description="Since when this is its health.",
    ),
    _number("stuck", "Stuck", "Users whose session runs longer than it may.", hidden=True),
    _number("partial", "Partial", "Users whose last session finished with issues.", hidden=True),
    _number("new", "New", "Users for whom no session has ended yet.", hidden=True),
    _CRM,
    _C(
        name="external_id", title="Id in the CRM", type=Type.TEXT, hidden=True,
        description="The organization's id in the system of record.",
    ),
    _ORGANIZATION_ID,
)

# ---------------------------------------------------------------------------------------------- users
_LAST_SESSION: Final = (
    _C(
        name="last_session", title="Last session", csv_title="Last session: Run", type=Type.PERIOD,
        description="When the user's newest session ran.",
    ),
    _C(
        name="session_status", title="Session status", csv_title="Last session: Status", type=Type.LIST,
        words=vocabulary.SESSION_STATUS, description="How the user's newest session went.",
    ),
    _number("objects", "Objects", "Objects fetched in the last session."),
    _number("changes", "Changes", "Changes applied in the last session: created, updated and deleted."),
    _number("failures", "Failures", "Objects that failed in the last session."),
    _C(
        name="error_source", title="Error Source", type=Type.OPEN_LIST, words=vocabulary.ERROR_SOURCE,
        description="The side the last session's error came from.",
    ),
    _C(
        name="error_category", title="Error Category", type=Type.OPEN_LIST, words=vocabulary.ERROR_CATEGORY,
        description="What the last session's error was caused by.",
    ),
    _number("issues", "Issues", "Issues detected in the last session."),
)
_LAST_SESSION_HIDDEN: Final = (
    _number(
        "total_changes", "Total Changes",
        "Changes found in the last session: applied, failed, in conflict, and skipped on purpose.", hidden=True,
    ),
    _C(
        name="error_code", title="Error code", type=Type.TEXT, hidden=True,
        description="The last session's error's own code, as sent.",
    ),
    _C(
        name="exception", title="Exception", type=Type.TEXT, hidden=True, sortable=False, holds_names=True,
        description="The last session's exception, else the error's message. Lists show its first 1,000 characters.",
    ),
    _number("conflicts", "Conflicts", "Conflicts detected in the last session.", hidden=True),
)
_USERS: Final = (
    _USER,
    _C(
        name="synchronization_disabled", title="Synchronization Disabled", type=Type.BOOLEAN,
        description="True: the user's own flag is off. A disabled organization stops its users whatever this says.",
    ),
    _C(
        name="status", title="Status", type=Type.LIST, words=vocabulary.USER_STATUS,
        description="The user's one status, from the facts: disabled, stuck, late, failing, partial, healthy or new.",
    ),
    _C(name="why", title="Why", type=Type.TEXT, sortable=False, description="The fact that decided the status."),
    _C(
        name="last_20", title="Last 20 sessions", type=Type.STRIP, sortable=False, words=vocabulary.SESSION_STATUS,
        description="The last 20 sessions, oldest first; a filter finds users with one of them. Not part of the CSV.",
    ),
    *_LAST_SESSION,
    _C(name="next_due", title="Next due", type=Type.TIME, description="When the next session is due."),
    _EMAIL,
    *_LAST_SESSION_HIDDEN,
    _C(
        name="failing_since", title="Failing since", type=Type.TIME, hidden=True,
        description="Since when the user is failing.",
    ),
    _FAILED_FOR,
    _number("in_a_row", "In a row", "Failing sessions in a row.", hidden=True),
    _C(
        name="report_complete", title="Report complete", type=Type.BOOLEAN, hidden=True, sortable=False,
        description="Whether every issue of the last session that the agent says it sent has arrived.",
    ),
    _C(name="agent", title="Agent", type=Type.TEXT, hidden=True, description="The connector agent that reported last."),
    _C(
        name="disabled_since", title="Disabled since", type=Type.TIME, hidden=True,
        description="Since when the user's synchronization is switched off.",
    ),
    _C(
        name="disabled_reason", title="Disabled reason", type=Type.OPEN_LIST,
        words=vocabulary.DISABLED_REASON, hidden=True,
        description="Why the user's synchronization is switched off.",
    ),
    _with(_MAIL, hidden=True),
    _CRM,
    _C(
        name="status_since", title="Status since", type=Type.TIME, hidden=True,
        description="Since when this is the status.",
    ),
    _C(
        name="external_id", title="Id in the CRM", type=Type.TEXT, hidden=True,
        description="The user's id in the system of record.",
    ),
    _USER_ID,
    _ORGANIZATION_ID,
)

# ---------------------------------------------------------------------------------------------- sessions
_RUN: Final = _C(
    name="run", title="Run", type=Type.PERIOD, aliases=("started_at",),
    description="Time period and date of the sync.",
)
_SESSION_COLUMNS: Final = (
    _C(
        name="status", title="Status", type=Type.LIST, words=vocabulary.SESSION_STATUS,
        description="How the session went; timed out is set by the service when nothing is heard any more.",
    ),
    _C(
        name="report", title="Objects", csv_title="Objects, detailed report", type=Type.REPORT, sortable=False,
        words=vocabulary.OBJECT_TYPE, description="Detailed report on the synchronized objects, by type and direction.",
    ),
    _number("objects", "Objects", "Number of objects fetched from both sides."),
    _number("changes", "Changes", "Changes after completion: created, updated and deleted."),
    _number("failures", "Failures", "Objects that failed during sync."),
    _number("total_changes", "Total Changes", "Changes found: applied, failed, in conflict, and skipped on purpose."),
    _C(
        name="error_source", title="Error Source", type=Type.OPEN_LIST, words=vocabulary.ERROR_SOURCE,
        description="The side the error came from.",
    ),
    _C(
        name="error_category", title="Error Category", type=Type.OPEN_LIST, words=vocabulary.ERROR_CATEGORY,
        description="What the error was caused by.",
    ),
    _C(
        name="exception", title="Exception", type=Type.TEXT, sortable=False, holds_names=True,
        description="The exception, else the error's message. Lists show its first 1,000 characters.",
    ),
    _number("issues", "Issues", "Issues detected after sync; code 0 is none."),
    _number("conflicts", "Conflicts", "Conflicts detected after sync."),
    _C(name="duration", title="Duration", type=Type.SECONDS, hidden=True, description="From start to end, in seconds."),
    _C(
        name="trigger", title="Trigger", type=Type.OPEN_LIST, words=vocabulary.TRIGGER, hidden=True,
        description="Why it ran.",
    ),
    _C(
        name="mode", title="Mode", type=Type.OPEN_LIST, words=vocabulary.MODE, hidden=True,
        description="Full or incremental.",
    ),
    _with(_MAIL, hidden=True),
    _CRM,
    _number("attempt", "Attempt", "Which attempt the figures are of.", hidden=True),
    _C(name="agent", title="Agent", type=Type.TEXT, hidden=True, description="The connector agent that reported it."),
    _C(
        name="retryable", title="Retryable", type=Type.BOOLEAN, hidden=True,
        description="Whether trying again can help.",
    ),
    _C(
        name="report_complete", title="Report complete", type=Type.BOOLEAN, hidden=True, sortable=False,
        description="Whether every issue that the agent says it sent has arrived.",
    ),
    _C(
        name="log_complete", title="Log complete", type=Type.BOOLEAN, hidden=True, sortable=False,
        description="Whether the agent dropped no part of the log; parts lost on the way are named in the log itself.",
    ),
    _C(name="ended_at", title="Ended", type=Type.TIME, hidden=True, description="When it ended; empty while it runs."),
    _C(
        name="error_code", title="Error code", type=Type.TEXT, hidden=True,
        description="The error's own code, as sent.",
    ),
    _C(
        name="status_detail", title="Status detail", type=Type.TEXT, hidden=True, holds_names=True,
        description="The agent's words on the status.",
    ),
    _C(
        name="session_id", title="Session id", type=Type.ID, hidden=True, sortable=False,
        description="The session's id.",
    ),
)
_SESSIONS: Final = (_USER, _RUN, *_SESSION_COLUMNS, _EMAIL, _USER_ID, _ORGANIZATION_ID)

# ---------------------------------------------------------------------------------------------- issues
_ISSUES: Final = (
    _C(
        name="type", title="Type", type=Type.OPEN_LIST, words=vocabulary.OBJECT_TYPE,
        description="The kind of object that could not be synchronized.",
    ),
    _C(
        name="name", title="Name", type=Type.TEXT, personal=True,
        description="Full name for contacts, subject line for events.",
    ),
    _C(
        name="direction", title="Direction", type=Type.DIRECTION, words=vocabulary.DIRECTION,
        description="From which system to which.",
    ),
    _C(
        name="operation", title="Operation name", type=Type.LIST, words=vocabulary.OPERATION,
        description="What could not be done: Create, Update or Delete.",
    ),
    _C(
        name="error_code", title="Error Code", type=Type.CODE,
        words=MappingProxyType({str(code): meaning for code, meaning in vocabulary.ERROR_CODE.items()}),
        description="0 to 3, with its meaning, also once it is resolved; 0 is never counted as an issue.",
    ),
    _C(
        name="error_text", title="Error Text", type=Type.TEXT, holds_names=True,
        description="What the system said in which the change was to be made.",
    ),
    _C(name="session", title="Session", type=Type.TIME, description="Start of the newest session it was seen in."),
    _C(name="first_seen", title="First seen", type=Type.TIME, description="When it was first seen."),
    _number("times", "Times", "Sessions in which it was opened, also those that resolved it."),
    _C(
        name="state", title="State", type=Type.LIST, words=vocabulary.ISSUE_STATE, hidden=True,
        description="open, resolved, or regressed: open again after it was resolved.",
    ),
    _C(
        name="in_last_session", title="In the last session", type=Type.BOOLEAN, hidden=True, sortable=False,
        description="Whether the user's newest session reported it.",
    ),
    _C(name="last_seen", title="Last seen", type=Type.TIME, hidden=True, description="When it was last seen."),
    _C(name="closed_at", title="Resolved", type=Type.TIME, hidden=True, description="When it was resolved."),
    _C(
        name="resolution", title="Resolution", type=Type.OPEN_LIST, words=vocabulary.RESOLUTION, hidden=True,
        description="How it was resolved.",
    ),
    _C(
        name="error_source", title="Error Source", type=Type.OPEN_LIST, words=vocabulary.ERROR_SOURCE, hidden=True,
        description="The side the error came from.",
    ),
    _C(
        name="error_category", title="Error Category", type=Type.OPEN_LIST,
        words=vocabulary.ERROR_CATEGORY, hidden=True,
        description="What the error was caused by.",
    ),
    _C(
        name="failure_code", title="Code of the failure", type=Type.TEXT, hidden=True,
        description="As the system says it that the error came from: 429, AADSTS700082.",
    ),
    _C(
        name="retryable", title="Retryable", type=Type.BOOLEAN, hidden=True,
        description="Whether trying again can help.",
    ),
    _number("attempts", "Attempts", "How often the agent tried.", hidden=True),
    _C(
        name="object_id", title="Object id", type=Type.TEXT, hidden=True,
        description="The record on the side it came from.",
    ),
    _C(
        name="counterpart_id", title="Counterpart id", type=Type.TEXT, hidden=True,
        description="The record on the other side.",
    ),
    _C(name="issue_id", title="Issue id", type=Type.ID, hidden=True, sortable=False, description="The issue's id."),
    *_hidden(_USER, _EMAIL, _USER_ID, _ORGANIZATION_ID),
)

# fmt: on


def _second(columns: tuple[Column, ...], second: Column) -> tuple[Column, ...]:
    return (columns[0], second, *columns[1:])


def _without(columns: tuple[Column, ...], *names: str) -> tuple[Column, ...]:
    return tuple(each for each in columns if each.name not in names)


def _user_first(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return (_USER, *_without(columns, "user"))


_LAST_SESSION_NAMES: Final = tuple(each.name for each in (*_LAST_SESSION, *_LAST_SESSION_HIDDEN))
_OPEN: Final[Mapping[str, str]] = MappingProxyType({"state": "open,regressed"})

# fmt: off
LISTS: Final[Mapping[str, ListView]] = MappingProxyType(
    {
        view.name: view
        for view in (
            ListView(
                name="organizations", title="Organizations", kind="organizations", columns=_ORGANIZATIONS,
                default_sort="health",
            ),
            ListView(
                name="users", title="Users", kind="users", columns=_second(_USERS, _ORGANIZATION),
                default_sort="status",
                csv_tail=_LAST_SESSION_NAMES,
            ),
            ListView(
                name="organization_users", title="Users", kind="users", columns=_USERS, default_sort="status",
                csv_tail=_LAST_SESSION_NAMES,
            ),
            ListView(
                name="sessions", title="Sessions", kind="sessions", columns=_second(_SESSIONS, _ORGANIZATION),
                default_sort="-run",
            ),
            ListView(
                name="statistics", title="Statistics", kind="sessions", columns=_SESSIONS, default_sort="status",
                default_filter=MappingProxyType({"status": "errors,timed_out"}),
            ),
            ListView(
                name="user_sessions", title="Sessions", kind="sessions",
                columns=_without(_SESSIONS, "user", "email", "user_id", "organization_id"), default_sort="-run",
            ),
            ListView(
                name="issues", title="Issues", kind="issues",
                columns=_second(_user_first(_ISSUES), _ORGANIZATION), default_sort="-first_seen", default_filter=_OPEN,
                csv_beside=("state",),
            ),
            ListView(
                name="organization_issues", title="Issues", kind="issues", columns=_user_first(_ISSUES),
                default_sort="-first_seen", default_filter=_OPEN, csv_beside=("state",),
            ),
            ListView(
                name="user_issues", title="Issues", kind="issues",
                columns=_without(_ISSUES, "user", "email", "user_id", "organization_id"), default_sort="-first_seen",
                default_filter=_OPEN, csv_beside=("state",),
            ),
        )
    }
)
# fmt: on
