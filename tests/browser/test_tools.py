"""R6, end to end: a real connector's sessions in every tool; on screen, in the file and in Postgres the same."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from schemas.columns import LISTS
from schemas.keys import session_key
from schemas.vocabulary import DISABLED_REASON, ERROR_CATEGORY, ERROR_CODE, ERROR_SOURCE, OBJECT_TYPE, direction_words
from services.ingest.connectors.caldav_crm.world import CRM_SYSTEM, MAIL_SYSTEM, everybody
from tests.browser.conftest import Script
from tests.rig.stack import Stack, written

ZONE: Final = ZoneInfo("Europe/Berlin")
RED: Final = "rgb(179, 29, 35)"
IN_WORDS: Final = {
    "Error Source": ERROR_SOURCE,
    "Error Category": ERROR_CATEGORY,
    "Disabled reason": DISABLED_REASON,
    "Type": OBJECT_TYPE,
    "Error Code": {code: f"{code} {meaning}" for code, meaning in ERROR_CODE.items()},
    "Direction": {way: direction_words(way, MAIL_SYSTEM, CRM_SYSTEM) for way in ("mail_to_crm", "crm_to_mail")},
}
"""Titles whose values are slugs in Postgres, and the words for them."""

ORGANIZATIONS: Final = """
SELECT name AS "Name", CASE WHEN sync_enabled THEN 'enabled' ELSE 'disabled' END AS "Synchronization Status",
       health AS "Health", 'CalDAV' AS "Mail system", users AS "Users", healthy AS "Healthy", failing AS "Failing",
       disabled AS "Disabled", last_session_at AS "Last session", errors_24h AS "Errors 24 h", partial AS "Partial"
  FROM organization o WHERE {} ORDER BY name DESC"""
USERS: Final = """
SELECT u.display_name AS "User", o.name AS "Organization", NOT u.sync_enabled AS "Synchronization Disabled",
       us.status AS "Status", us.last_started_at AS "Last session: Run", us.last_ended_at AS "Last session: Run, end",
       replace(us.last_status, '_', ' ') AS "Last session: Status", us.objects AS "Objects", us.changes AS "Changes",
       us.failures AS "Failures", us.total_changes AS "Total Changes", us.conflicts AS "Conflicts",
       us.issues AS "Issues", us.error_source AS "Error Source", us.error_category AS "Error Category",
       us.error_code AS "Error code", coalesce(t.exception, t.message) AS "Exception", us.due_at AS "Next due",
       u.email AS "E-mail", u.disabled_reason AS "Disabled reason"
  FROM user_status us JOIN sync_user u USING (organization_id, user_id) JOIN organization o USING (organization_id)
  LEFT JOIN session_text t ON (t.started_at, t.session_id) = (us.last_started_at, us.last_session_id)
 WHERE {} ORDER BY u.display_name DESC"""
STATISTICS: Final = """
SELECT u.display_name AS "User", o.name AS "Organization", s.started_at AS "Run", s.ended_at AS "Run, end",
       replace(s.status, '_', ' ') AS "Status", s.objects AS "Objects", s.changes AS "Changes",
       s.failures AS "Failures", s.total_changes AS "Total Changes", s.error_source AS "Error Source",
       s.error_category AS "Error Category", coalesce(t.exception, t.message) AS "Exception", s.issues AS "Issues",
       s.conflicts AS "Conflicts", s.session_id AS "Session id"
  FROM sync_session s JOIN sync_user u USING (organization_id, user_id) JOIN organization o USING (organization_id)
  LEFT JOIN session_text t ON (t.started_at, t.session_id) = (s.started_at, s.session_id)
 WHERE {} ORDER BY s.started_at, s.session_id"""
ISSUES: Final = """
SELECT u.display_name AS "User", o.name AS "Organization", i.object_type AS "Type", i.object_name AS "Name",
       i.direction AS "Direction", initcap(i.operation) AS "Operation name", i.error_code AS "Error Code",
       i.error_text AS "Error Text", i.session_started_at AS "Session", i.first_seen_at AS "First seen",
       i.times AS "Times", i.state AS "State", i.object_id AS "Object id"
  FROM sync_issue i JOIN sync_user u USING (organization_id, user_id) JOIN organization o USING (organization_id)
 WHERE {} ORDER BY i.first_seen_at, i.issue_id"""
HEALTHY: Final = """
SELECT us.user_id FROM user_status us WHERE us.status = 'healthy' AND us.user_id NOT IN (
       SELECT user_id FROM sync_issue) ORDER BY us.user_id LIMIT 1"""
WITH_MOST_ISSUES: Final = """
SELECT u.user_id, u.display_name FROM sync_issue i JOIN sync_user u USING (organization_id, user_id)
 WHERE i.organization_id = $1 AND i.state <> 'resolved'
 GROUP BY 1, 2 ORDER BY count(*) DESC, 1 LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Tool:
    """One list as somebody works with it, and the statement that proves its rows.

    `list` is its name in the registry and `way` leads there in words; then a column is shown, one hidden, filters are
    typed, and a title is clicked until it is sorted as wanted.
    """

    list: str
    way: tuple[str, ...]
    show: str
    hide: str
    filters: dict[str, str]
    sort: tuple[str, str]
    sql: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the script saw, the folder with what it downloaded, and where it was sent."""

    told: dict[str, Any]
    folder: Path
    tools: dict[str, Tool]
    sessions: dict[str, Any]


async def fetch(stack: Stack, sql: str, *bound: Any) -> list[Any]:
    """Ask Postgres, as its owner."""
    async with stack.database.connect() as connection:
        return list(await connection.fetch(sql, *bound))


def tools_of(organization: Any, user: Any) -> dict[str, Tool]:
    """Return the lists to walk through: of everybody, of one organization, of one user of it."""
    inside, name = f"o.organization_id = '{organization['organization_id']}'", organization["name"]
    backwards, oldest = ("user", "descending"), ("first_seen", "ascending")
    unclean, is_open = "us.status IN ('failing', 'partial')", "i.state <> 'resolved'"
    return {
        "organizations": Tool(
            "organizations", ("Organizations",), "partial", "late", {"synchronization_status": "enab"},
            ("name", "descending"), ORGANIZATIONS.format("o.sync_enabled"),
        ),
        "users of an organization": Tool(
            "organization_users", ("Organizations", name, "Users"), "email", "why",
            {"synchronization_disabled": "False", "status": "failing, partial"}, backwards,
            USERS.format(f"{inside} AND u.sync_enabled AND {unclean}"),
        ),
        "users": Tool(
            "users", ("Users",), "email", "next_due", {"status": "failing, partial"}, backwards, USERS.format(unclean),
        ),
        "users switched off": Tool(
            "users", ("Users",), "disabled_reason", "conflicts", {"status": "disabled"}, backwards,
            USERS.format("us.status = 'disabled'"),
        ),
        "statistics": Tool(
            "statistics", ("Organizations", name, "Statistics"), "session_id", "conflicts", {}, ("run", "ascending"),
            STATISTICS.format(f"{inside} AND s.status IN ('errors', 'timed_out')"),
        ),
        "sessions": Tool(
            "sessions", ("Sessions",), "session_id", "error_source",
            {"status": "finished with issues", "issues": ">=1"}, ("run", "ascending"),
            STATISTICS.format("s.status = 'finished_with_issues' AND s.issues >= 1"),
        ),
        "issues of a user": Tool(
            "user_issues", ("Users", user["display_name"], "Issues"), "state", "session", {"error_code": ">=1"}, oldest,
            ISSUES.format(f"{inside} AND i.user_id = '{user['user_id']}' AND {is_open}"),
        ),
        "issues": Tool(
            "issues", ("Issues",), "object_id", "times", {"type": "Appointment", "operation": "Update"}, oldest,
            ISSUES.format(f"i.operation = 'update' AND {is_open}"),
        ),
    }  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen(stack: Stack, run_script: Script, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """The whole walk, once, after somebody was switched off."""
    (healthy,) = await fetch(stack, HEALTHY)
    await stack.switch_off(next(person for person in everybody() if person.user_id == healthy["user_id"]))
    found = await fetch(
        stack,
        "SELECT DISTINCT ON (s.status) s.*, o.name, u.display_name FROM sync_session s JOIN organization o "
        "USING (organization_id) JOIN sync_user u USING (organization_id, user_id) "
        "WHERE s.status IN ('errors', 'finished_with_issues') ORDER BY s.status, s.objects DESC, s.issues DESC",
    )
    sessions = {row["status"]: row for row in found}
    failed, partial = sessions["errors"], sessions["finished_with_issues"]
    tools = tools_of(failed, (await fetch(stack, WITH_MOST_ISSUES, failed["organization_id"]))[0])
    folder = tmp_path_factory.mktemp("downloads")
    lists = {
        name: {
            "way": tool.way, "show": [tool.show], "hide": [tool.hide], "filters": tool.filters,
            "sort": tool.sort[0], "order": tool.sort[1],
        }
        for name, tool in tools.items()
    }  # fmt: skip
    jobs = {
        status: {
            "way": ("Organizations", row["name"], "Statistics"), "status": status,
            "row": session_key(row["started_at"], row["session_id"]).replace("~", "."),
        }
        for status, row in sessions.items()
    }  # fmt: skip
    told = run_script("tools", stack.base, "", {
        "link": stack.operator.link("platform_admin"), "zone": ZONE.key, "folder": str(folder), "lists": lists,
        "jobs": jobs, "user": ("Users", partial["display_name"]), "organization": ("Organizations", failed["name"]),
    })  # fmt: skip
    return Seen(told, folder, tools, sessions)


def in_file(title: str, value: object) -> str:
    """Return a value of Postgres as the CSV writes it."""
    match value:
        case None:
            return ""
        case datetime():
            return f"{value.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"
        case _ if title in IN_WORDS:
            return IN_WORDS[title][value]  # type: ignore[index]
        case _:
            return str(value)


def as_in_file(title: str, shown: str) -> str:
    """Return the text of a cell on screen as the CSV writes it."""
    if shown.strip() == "–":
        return ""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.*", shown):
        return in_file(title, datetime.fromisoformat(shown))
    return shown.replace(",", "") if re.fullmatch(r"[\d,]+", shown.strip()) else shown


def same(one: str, other: str) -> bool:
    """Whether two texts say the same: a page does not keep line ends and shows 1,000 characters of an exception."""
    first, second = ("".join(text[:1000].split()) for text in (one, other))
    return first == second


NAMES: Final = (
    "organizations", "users of an organization", "users", "users switched off", "statistics", "sessions",
    "issues of a user", "issues",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.asyncio(loop_scope="module")
async def test_r6_a_list_on_screen_its_file_and_postgres_say_the_same(stack: Stack, seen: Seen, name: str) -> None:
    tool, told = seen.tools[name], seen.told["lists"][name]
    with (seen.folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        titles, *lines = [*csv.reader(file)]
    titles = [title.removesuffix(f" ({ZONE.key})") for title in titles]
    proved = await fetch(stack, tool.sql)
    assert len(told["rows"]) == len(lines) == len(proved) > 0
    assert told["matches"].split()[0] == str(len(proved))
    assert f"{len(proved)} row" in told["toast"]
    if name == "statistics":
        assert told["first"] == ["Status errors, timed out"]

    tail = [column.heading for column in LISTS[tool.list].columns if column.name in LISTS[tool.list].csv_tail]
    shown = [title for title in told["titles"] if title not in tail]
    beside = ["State"] if "issues" in tool.list and "State" not in shown else []
    assert [title for title in titles if not title.endswith(", end")] == [*shown, *beside, *tail]
    unproved = {"Why", "Last 20 sessions", "Objects, detailed report"}
    assert set(titles) - set(proved[0].keys()) <= unproved, "Postgres proves the others"
    for cells, line, row in zip(told["rows"], lines, proved, strict=True):
        record = dict(zip(titles, line, strict=True))
        for title, cell in zip(told["titles"], cells, strict=True):
            if title in record and title != "Objects, detailed report":
                assert same(as_in_file(title, cell), record[title]), title
        told_by_both = [title for title in titles if title in row]
        assert [record[title] for title in told_by_both] == [in_file(title, row[title]) for title in told_by_both]


@pytest.mark.asyncio(loop_scope="module")
async def test_whom_an_administrator_switched_off_is_red_and_said_to_be_disabled(seen: Seen) -> None:
    told = seen.told["lists"]["users switched off"]
    (row,) = (dict(zip(told["titles"], cells, strict=True)) for cells in told["rows"])
    assert (row["Status"].strip(), row["Synchronization Disabled"].strip()) == ("disabled", "True")
    assert [set(colours) for colours in told["colours"]] == [{RED}]
    assert RED not in {colours[0] for colours in seen.told["lists"]["users"]["colours"]}, "who fails is no red row"


@pytest.mark.parametrize("status", ["errors", "finished_with_issues"])
@pytest.mark.asyncio(loop_scope="module")
async def test_r6_job_details_tell_and_copy_what_is_in_postgres(stack: Stack, seen: Seen, status: str) -> None:
    row, told = seen.sessions[status], seen.told["jobs"][status]
    address = (row["started_at"], row["session_id"])
    assert told["user"] == row["display_name"]
    assert told["facts"]["Status"] == status.replace("_", " ")
    for title in ("Objects", "Changes", "Failures", "Total Changes", "Issues", "Conflicts"):
        assert told["facts"][title] == f"{row[title.lower().replace(' ', '_')]:,}", title
    for title in ("Error Source", "Error Category"):
        slug = row[title.lower().replace(" ", "_")]
        assert told["facts"][title] == (IN_WORDS[title][slug] if slug else "–"), title

    report = [reported(each) for each in json.loads(row["report"])]
    assert [[*line[:2], *map(int, line[2:-1])] for line in told["objects"]] == report
    for copied in (told["from_row"], told["copied"]):
        lines = copied.get("Objects, detailed report", "").splitlines()[1:]
        assert lines == ["\t".join(map(str, each)) for each in report]
    texts = await fetch(stack, "SELECT * FROM session_text WHERE (started_at, session_id) = ($1, $2)", *address)
    exception = next((text["exception"] or text["message"] for text in texts), "")
    assert told["exception"] == exception
    assert told["from_row"].get("Exception", "") == told["copied"].get("Exception", "") == exception
    assert told["copied"]["Session id"] == str(row["session_id"])
    sightings = await fetch(stack, "SELECT * FROM issue_sighting WHERE (started_at, session_id) = ($1, $2)", *address)
    assert sorted(told["issues"]) == sorted(sighted(each) for each in sightings if each["error_code"])
    assert [line.partition("\n")[0] for line in told["log"]] == [
        line.message.partition("\n")[0] for line in stack.truth.lines[row["session_id"]]
    ]


def reported(each: dict[str, Any]) -> list[Any]:
    """Return a line of the detailed report as the panel names it."""
    counts = ("fetched", "created", "updated", "deleted", "skipped", "failed", "conflicts")
    return [
        OBJECT_TYPE[each["type"]], IN_WORDS["Direction"][each["direction"]], *(each.get(name) or 0 for name in counts),
    ]  # fmt: skip


def sighted(each: Any) -> list[str]:
    """Return an issue of a session as the job details list it."""
    return [
        OBJECT_TYPE[each["object_type"]], each["object_name"], IN_WORDS["Direction"][each["direction"]],
        each["operation"].capitalize(), f"{each['error_code']} {ERROR_CODE[each['error_code']]}", each["error_text"],
    ]  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
async def test_r6_an_archive_of_logs_holds_every_line_as_it_was_published(stack: Stack, seen: Seen) -> None:
    for status, row in seen.sessions.items():
        for place in ("row", "dialog"):
            assert archived(stack, seen.folder / f"{status} in its {place}.zip") == {row["session_id"]}
    own = "SELECT session_id FROM sync_session WHERE organization_id = $1"
    failed, partial = seen.sessions["errors"], seen.sessions["finished_with_issues"]
    of_user = await fetch(stack, f"{own} AND user_id = $2", partial["organization_id"], partial["user_id"])
    assert archived(stack, seen.folder / "user.zip") == {row["session_id"] for row in of_user}
    of_organization = await fetch(stack, own, failed["organization_id"])
    assert len(of_organization) > len(of_user)
    for name in ("organization.zip", "range.zip"):
        assert archived(stack, seen.folder / name) == {row["session_id"] for row in of_organization}


def archived(stack: Stack, path: Path) -> set[UUID]:
    """Return whose logs an archive holds, once each of its files says what was published, line for line."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        assert (manifest["complete"], manifest["sessions"]) == (True, len(manifest["logs"]))
        assert set(archive.namelist()) == {"manifest.json", *(each["entry"] for each in manifest["logs"])}
        for each in manifest["logs"]:
            text = archive.read(each["entry"]).decode()
            lines = stack.truth.lines[UUID(each["session_id"])]
            untimed = re.sub(r"^\S+ (?=(?:DEBUG|INFO|WARNING|ERROR) )", "", text, flags=re.MULTILINE)
            assert untimed == "==== attempt 1 ====\n" + "".join(map(written, lines))
            assert each["lines"] == len(lines)
    return {UUID(each["session_id"]) for each in manifest["logs"]}


@pytest.mark.asyncio(loop_scope="module")
async def test_axe_finds_nothing_in_the_tools_of_real_sessions(stack: Stack, seen: Seen, run_script: Script) -> None:
    failed, partial = seen.sessions["errors"], seen.sessions["finished_with_issues"]
    organization = f"/organizations/{failed['organization_id']}"
    user = f"/users/{partial['organization_id']}/{partial['user_id']}"
    job = f"/sessions/{session_key(failed['started_at'], failed['session_id'])}"
    paths = [
        "/organizations", organization, f"{organization}/statistics?status=", f"{organization}/logs", "/users", user,
        f"{user}/issues", job, f"{job}/log",
    ]  # fmt: skip
    given = {"paths": paths, "statistics": f"{organization}/statistics", "others": {}}
    found = run_script("axe", stack.base, seen.told["cookie"], given)["found"]
    assert {page: broken for page, broken in found.items() if broken} == {}
    assert len(found) == 2 * (len(paths) + 5)
