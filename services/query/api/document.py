"""The API's OpenAPI 3.1 document, made from the column registry and the table of routes. Pure.

`schemas/openapi.yaml` is what this returns, written out; a test finds no difference. After a change of columns:
`python -m services.query.api.document > schemas/openapi.yaml`
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from schemas.columns import CLOSED, LISTS, Column, ListView, Type
from schemas.vocabulary import SESSION_STATUS
from services.query.api.table import LAST_POSITION, LIST_ROUTES, ListRoute
from services.query.views.view import DEFAULT_LIMIT, LARGEST_LIMIT

Json = dict[str, Any]
_TEXT: Final[Json] = {"type": ["string", "null"]}
_TIME: Final[Json] = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Final[Json] = {"type": ["integer", "null"]}
_ID: Final[Json] = {"type": "string", "format": "uuid"}
_OBJECT: Final[Json] = {"type": "object"}
_CUT: Final = "One that is cut, as after ten minutes, breaks the connection."
_SLUGS: Final[Json] = {"type": "array", "items": {"type": "string"}}
_SAID: Final = """\
What the panel shows is answered here as JSON; the same address with `.csv` is the export of the same query.

**Filters**: the parameter is the column's name, columns are ANDed. An empty value is none. `not:` in front negates,
`has:empty` asks for nothing. Text: contains, without case and accents, every character literal; `eq:` exact. Closed
lists: word or slug, else its beginning; comma = or. Open lists: word or slug, else contains; comma = or; behind `eq:`
one slug exactly as it was sent, with its commas. Numbers: `5`, `5..9`, `5..`, `..9`, `>=5`. Times: `2026-11-01` is
that day in the zone `tz`, `a..b` with b excluded, `24h` and `7d` back from now. A `+` in a URL is a space: write
`%2B`. Anything not understood is a 400 that names what is allowed, never other rows.

**Sort**: `-` in front turns it; nulls stand last both ways. Columns with an index sort any view, others views of at
most 10,000 rows (400 `too_wide_to_sort`). **Pages** are places, not numbers: follow `next` or the `Link` header.
**Searches**: sessions and issues that no index finds are looked for in the order of the page for a tenth of a second;
`searched_to` then says how far that came, and `next` goes on there, also from a page without rows. In an order by
status, one after the other is looked through: `searched_to` is of those in `searched_in`, `searched_whole` came before
them, and what comes behind was not looked at. An organization of at most 10,000 such rows is read whole. Another list
that takes longer is refused (504 `too_wide`): add an organization, a status or a time. A CSV takes the time it needs.
**As of**: `as_of` is the time up to which everything is known, `lag_s` its distance from now.

Somebody else's id and one that does not exist get the same 404."""


def document() -> Json:
    """Return the whole document."""
    paths: dict[str, Any] = {}
    for each in LIST_ROUTES:
        paths[_path(each.path)] = {"get": _list(each)}
        paths[_path(each.path) + ".csv"] = {"get": _csv(each)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Syncwatch", "version": version("syncwatch"), "description": _SAID},
        "servers": [{"url": "/api/v1"}],
        "security": [{"key": []}, {"cookie": []}],
        "paths": paths | _others(),
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key from `syncwatch keys add`."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-syncwatch"},
            },
            "parameters": _shared(),
            "responses": _problems(),
            "schemas": _schemas(),
        },
    }


def _path(path: str) -> str:
    return path.replace(":uuid}", "}")


# ---------------------------------------------------------------------------------------------- lists
def _list(each: ListRoute) -> Json:
    view = LISTS[each.list_name]
    body = {
        "type": "object",
        "required": ["rows", "total", "total_is_exact", "next", "previous", "as_of", "lag_s", "halted"],
        "properties": {
            "rows": {"type": "array", "items": {"$ref": f"#/components/schemas/{view.kind}_row"}},
            "total": {"type": "integer", "description": "Counted up to 10,000; a lower bound unless it is exact."},
            "total_is_exact": {"type": "boolean"},
            "next": {"type": ["string", "null"], "description": "`cursor` of the next page."},
            "previous": {"type": ["string", "null"], "description": "`cursor` of the page before."},
            "searched_to": _TIME | {"description": "How far a search by what has no index came; `next` goes on there."},
            "searched_in": _SLUGS | {"description": "In an order by status: those that `searched_to` is of."},
            "searched_whole": _SLUGS | {"description": "Those before them, which were looked through to the end."},
            "as_of": _TIME,
            "lag_s": {"type": ["number", "null"]},
            "halted": {"type": "array", "items": {"type": "string"}},
            "sort": {"type": "string"},
            "filters": {"type": "object", "additionalProperties": {"type": "string"}},
            "tz": {"type": "string"},
        },
    }
    headers = {"Link": {"description": "The pages beside this one.", "schema": {"type": "string"}}}
    return {
        "operationId": each.list_name,
        "summary": f"{view.title}, as a list",
        "parameters": [*_path_parameters(each.path), *_parameters(view), _cursor()],
        "responses": {"200": _json(body) | {"headers": headers}, **_refusals("504")},
    }


def _csv(each: ListRoute) -> Json:
    view = LISTS[each.list_name]
    headers = {
        "Syncwatch-Export-Id": {
            "description": "Ask /exports/{id} whether it came whole.",
            "schema": {"type": "string"},
        },
        "Syncwatch-As-Of": {"description": "As of when the rows are.", "schema": {"type": "string"}},
    }
    options = [
        _query("sep", "Separator of cells.", {"type": "string", "enum": ["comma", "semicolon", "tab"]}),
        _query("bom", "0: without a byte order mark.", {"type": "string", "enum": ["0", "1"]}),
        _query("raw", "1: for machines: names, slugs, ISO 8601, no guard.", {"type": "string", "enum": ["0", "1"]}),
    ]
    return {
        "operationId": f"{each.list_name}_csv",
        "summary": f"{view.title}, every row of the view as CSV",
        "parameters": [*_path_parameters(each.path), *_parameters(view), _cursor(), *options],
        "responses": {
            "200": {
                "description": f"RFC 4180, CRLF, UTF-8 with a byte order mark. {_CUT}",
                "headers": headers,
                "content": {"text/csv": {"schema": {"type": "string"}}},
            },
            **_refusals("504"),
        },
    }


def _parameters(view: ListView) -> list[Json]:
    names = [column.name for column in view.columns]
    sortable = [column.name for column in view.columns if column.sortable]
    return [
        *(_ref(f"{view.kind}.{column.name}") for column in view.columns),
        _query("sort", f"Default `{view.default_sort}`. One to three of: {', '.join(sortable)}.", {"type": "string"}),
        _query("columns", f"Which, in which order. Out of: {', '.join(names)}.", {"type": "string"}),
        _ref("limit"),
        _ref("tz"),
    ]  # fmt: skip


def _filter(column: Column) -> Json:
    said = f"{column.description} Operators: {', '.join(column.operators)}."
    if column.words and column.type not in (Type.CODE, Type.TEXT):
        said += " Values: " + ", ".join(column.words) + ("." if column.type in CLOSED else ", and others.")
    return _query(column.name, said, {"type": "string", "maxLength": 1000})


def _cursor() -> Json:
    return _ref("cursor")


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/parameters/{name}"}


def _shared() -> dict[str, Json]:
    """Return the parameters that lists share: filters by kind of row, and those of every list."""
    text: Json = {"type": "string"}
    rows = {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT}
    filters = {f"{view.kind}.{column.name}": _filter(column) for view in LISTS.values() for column in view.columns}
    return filters | {
        "limit": _query("limit", "Rows a page.", rows),
        "cursor": _query("cursor", "A place, as `next` and `previous` name it; bound to filters and order.", text),
        "tz": _query("tz", "IANA time zone that times are read and written in; UTC unless given.", text),
    }


def _query(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _path_parameters(path: str) -> list[Json]:
    found = []
    for part in path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}").partition(":")[0].removesuffix(".csv")
            schema = {"type": "string"} if name == "key" else _ID
            found.append({"name": name, "in": "path", "required": True, "schema": schema})
    return found


# ---------------------------------------------------------------------------------------------- others
def _others() -> dict[str, Any]:
    organization, user, session = "/organizations/{organization}", "/users/{organization}/{user}", "/sessions/{key}"
    span = [
        _query("from", "Sessions started from then on.", {"type": "string"}),
        _query("to", "… and before then; now unless given.", {"type": "string"}),
        _query("tz", "IANA time zone of the two.", {"type": "string"}),
    ]
    hours = [
        _query("organization", "Of this organization alone.", _ID),
        _query("hours", "How many, back from now.", {"type": "integer", "minimum": 1, "maximum": 720, "default": 24}),
    ]
    whole = {"type": "integer", "minimum": 0, "maximum": LAST_POSITION}
    log = [
        _query("after", "Lines behind this position.", whole),
        _query("before", "The last lines before this position instead.", whole),
        _query("limit", "At most so many lines.", {"type": "integer", "minimum": 1, "maximum": 5000, "default": 1000}),
        _query("tail", "The last so many instead.", {"type": "integer", "minimum": 0, "maximum": 5000}),
        _query("q", "Lines that hold this.", {"type": "string", "maxLength": 200}),
        _query("level", "debug, info, warning, error; comma = or.", {"type": "string"}),
        _query("source", "mail, crm, engine, agent; comma = or.", {"type": "string"}),
    ]
    said = "Log lines of a session. One of very many is a 400 `log_too_long`, and comes whole as logs.zip"
    record = {"get": _get("/exports/{id}", "export", "Whether an export came whole", "export"), "delete": _delete()}
    search = [_query("q", "Part of a name or an e-mail address, or a whole id.", {"type": "string", "maxLength": 200})]
    return {
        "/me": {"get": _get("/me", "me", "Who asks", "me")},
        "/overview": {"get": _get("/overview", "overview", "The figures of the overview", "overview")},
        "/session-hours": {
            "get": _get("/session-hours", "session_hours", "Sessions per hour by status", "session_hours", hours)
        },
        "/error-kinds": {"get": _get("/error-kinds", "error_kinds", "Errors by source and category", "kinds", hours)},
        "/search": {"get": _get("/search", "search", "Find an organization or user", "found", search)},
        "/agents": {"get": _get("/agents", "agents", "Connector agents, the longest silent first", "agents")},
        "/partitions": {"get": _get("/partitions", "partitions", "How far each partition is applied", "partitions")},
        organization: {"get": _get(organization, "organization", "One organization", "organization")},
        user: {"get": _get(user, "user", "One user and why it has its status", "user")},
        session: {"get": _get(session, "session", "One session: the job details", "session")},
        f"{session}/issues": {"get": _get(f"{session}/issues", "session_issues", "Issues of a session", "rows")},
        f"{session}/logs": {"get": _get(f"{session}/logs", "session_log", said, "log", log)},
        f"{session}/logs.zip": {"get": _zip(f"{session}/logs.zip", "session", [])},
        f"{user}/logs.zip": {"get": _zip(f"{user}/logs.zip", "user", span)},
        f"{organization}/logs.zip": {"get": _zip(f"{organization}/logs.zip", "organization", span)},
        "/exports/{id}": record,
    }


def _get(path: str, name: str, summary: str, schema: str, parameters: list[Json] | None = None) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [*_path_parameters(path), *(parameters or [])],
        "responses": {"200": _json({"$ref": f"#/components/schemas/{schema}"}), **_refusals("504")},
    }


def _zip(path: str, what: str, parameters: list[Json]) -> Json:
    content = {"application/zip": {"schema": {"type": "string", "contentMediaType": "application/zip"}}}
    return {
        "operationId": f"{what}_logs_zip",
        "summary": f"The logs of one {what} as a zip, with a manifest of parts, gaps and drops",
        "parameters": [*_path_parameters(path), *parameters],
        "responses": {"200": {"description": f"Streamed. {_CUT}", "content": content}, **_refusals("504")},
    }


def _delete() -> Json:
    return {
        "operationId": "stop_export",
        "summary": "Stop an export",
        "parameters": _path_parameters("/exports/{id}"),
        "responses": {"204": {"description": "It stops, or had ended."}, **_refusals()},
    }


def _json(schema: Json) -> Json:
    return {"description": "Found.", "content": {"application/json": {"schema": schema}}}


def _refusals(*more: str) -> dict[str, Json]:
    codes = ("400", "401", "403", "404", "503", *more)
    return {code: {"$ref": f"#/components/responses/problem_{code}"} for code in codes}


_CODES: Final = {
    "400": "A parameter was not understood, the view is too wide to sort so, or the log too long to be read by lines.",
    "401": "Nobody is signed in; the key is unknown, expired, revoked, or stood in the URL.",
    "403": "The role does not allow it.",
    "404": "It does not exist, or is somebody else's.",
    "503": "All connections are in use, a file of the organization is being made, or the database is away: come again "
    "after Retry-After.",
    "504": "The filter is too wide to be answered in time.",
}


def _problems() -> dict[str, Json]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}}
    return {f"problem_{code}": {"description": said, "content": content} for code, said in _CODES.items()}


# ---------------------------------------------------------------------------------------------- schemas
_KIND: Final = (
    "users and organizations: those that its errors touched in the hours that are counted; null where those are more "
    "than 24. failing: users that fail for it now."
)


def _schemas() -> dict[str, Json]:
    rows = {f"{view.kind}_row": _row(view.kind) for view in LISTS.values()}
    kind = _members("source", "category", "errors", "users", "organizations", "failing", "bars")
    kinds = {"type": "array", "items": kind | {"description": _KIND}}
    touched = _members("users", "organizations")
    return rows | {
        "problem": {
            "type": "object",
            "description": "RFC 9457.",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "errors": {"type": "array", "items": _members("parameter", "value", "detail", "allowed")},
            },
        },
        "me": _members("actor", "role", "organization_id", "user_id", "names_masked", "preferences"),
        "overview": _members(
            "organizations", "synchronization_status", "users", "hours", "kinds", "touched", "causes", "silence",
            "failures", "as_of", "lag_s", "halted",
        ),
        "session_hours": _members("hours", "totals"),
        "kinds": _members("kinds", "touched") | {"properties": {"kinds": kinds, "touched": touched}},
        "agents": _listing("agents", _AGENT),
        "partitions": _listing("partitions", _PARTITION),
        "found": _members("organizations", "users", "session_key", "more"),
        "organization": _members(
            "organization_id", "name", "synchronization_status", "health", "chain", "agents", "causes", "as_of"
        ),
        "user": _members("organization_id", "user_id", "name", "status", "chain", "recent", "as_of"),
        "session": _members(
            "key", "organization", "user", "run", "status", "report", "objects", "changes", "failures", "total_changes",
            "issues", "conflicts", "usual_duration_s", "error", "exception", "log", "previous_key", "next_key", "as_of",
        ),
        "rows": {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array", "items": _OBJECT}}},
        "log": _members(
            "lines", "total", "matching", "next", "previous", "gaps", "past", "dropped_lines", "chunks_dropped",
            "redactions", "running", "levels", "sources",
        ),
        "export": _members("export_id", "list", "query", "state", "complete", "rows", "bytes", "sha256", "as_of"),
    }  # fmt: skip


_AGENT: Final[Json] = {
    "agent_id": {"type": "string", "example": "eu-03"},
    "organization_id": {"type": ["string", "null"], "format": "uuid", "description": "null: shared by organizations."},
    "organization": _TEXT | {"example": "Northwind Traders"},
    "version": _TEXT | {"example": "3.18.2"},
    "heard_at": _TIME | {"description": "When Kafka had its newest heartbeat.", "example": "2026-11-24T14:02:29Z"},
    "silent": {"type": "boolean", "description": "No heartbeat for 90 s up to `as_of`.", "example": False},
    "late": _COUNT | {"description": "Late users whom it reported last.", "example": 0},
    "sessions_running": _COUNT | {"example": 4},
    "queued": _COUNT | {"description": "Events in its spool.", "example": 0},
    "oldest_queued_s": {"type": ["number", "null"], "example": None},
    "clock_error_s": {"type": ["number", "null"], "description": "How far its clock is behind.", "example": 0.12},
}
_PARTITION: Final[Json] = {
    "topic": {"type": "string", "example": "syncwatch.events"},
    "partition": {"type": "integer", "example": 7},
    "applied_to": _TIME | {"description": "Everything that Kafka had by then is applied."},
    "heard_at": _TIME
    | {"description": "When it last moved; ticks move it every 2 s.", "example": "2026-11-24T14:02:30Z"},
    "halted": _TEXT | {"description": "Why it was stopped on purpose.", "example": None},
    "halted_at": _TIME | {"example": None},
}


def _listing(name: str, properties: Json) -> Json:
    """Return the schema of rows under a name, with how old they are."""
    row = {"type": "object", "required": list(properties), "properties": properties}
    listed = {
        name: {"type": "array", "items": row},
        "as_of": _TIME,
        "lag_s": {"type": ["number", "null"]},
        "halted": {"type": "array", "items": {"type": "string"}},
    }
    return {"type": "object", "required": list(listed), "properties": listed}


def _members(*names: str) -> Json:
    return {"type": "object", "required": list(names), "properties": {name: {} for name in names}}


_VALUES: Final[dict[Type, Json]] = {
    Type.TEXT: _TEXT,
    Type.OPEN_LIST: _TEXT,
    Type.DIRECTION: _TEXT,
    Type.BOOLEAN: {"type": ["boolean", "null"]},
    Type.NUMBER: _COUNT,
    Type.CODE: _COUNT,
    Type.SHARE: {"type": ["number", "null"]},
    Type.SECONDS: {"type": ["number", "null"]},
    Type.TIME: _TIME,
    Type.PERIOD: _TIME,
    Type.ID: _ID,
    Type.REPORT: {"type": ["array", "null"], "items": _OBJECT},
}


def _row(kind: str) -> Json:
    """Return the schema of a row: what it always carries, and the columns that were chosen."""
    columns = {column.name: column for view in LISTS.values() if view.kind == kind for column in view.columns}
    properties = {name: _value(column) for name, column in columns.items()}
    return {"type": "object", "required": ["organization_id"], "properties": {"organization_id": _ID, **properties}}


def _value(column: Column) -> Json:
    if column.type is Type.LIST:
        schema: Json = {"enum": [*(column.words or {}), None]}
    elif column.type is Type.STRIP:
        each = {
            "type": "object",
            "properties": {
                "status": {"enum": list(SESSION_STATUS)},
                "report_complete": {"type": "boolean"},
                "started_at": _TIME,
            },
        }
        schema = {"type": "array", "items": each}
    else:
        schema = _VALUES[column.type]
    return schema | {"description": column.description}


def main() -> None:
    """Write the document as YAML to standard output."""
    import yaml  # type: ignore[import-untyped]  # a development tool

    print("# Made by `python -m services.query.api.document` from schemas/columns.py. Do not edit.")
    print(yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=120), end="")


if __name__ == "__main__":
    main()
