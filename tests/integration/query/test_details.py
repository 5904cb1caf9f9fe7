"""Details and figures: everything the job details show, numbers that agree."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from msgspec.structs import replace

from schemas.keys import session_key, session_of
from schemas.recent import pack, unpack
from services.query.panel.parts import icon
from tests.integration.query.conftest import Service, body
from tests.rig.seed import Plan, add_issue, organization_id, user_id


@pytest.fixture
def plan(now: datetime) -> Plan:
    return Plan(now=now, organizations=3, users=6, sessions=22)


async def test_r28_to_r40_job_details_hold_every_field(client: httpx.AsyncClient) -> None:
    row = (await body(client, "/sessions?status=errors&limit=1"))["rows"][0]
    job = await body(client, f"/sessions/{row['key']}")
    assert job["user"]["name"] == row["user"]
    assert (job["run"], job["ended_at"], job["status"]) == (row["run"], row["ended_at"], "errors")
    assert job["status_detail"] == "stopped at batch 3"
    assert [line["type"] for line in job["report"]] == ["email", "appointment"]
    assert job["report_text"].startswith("E-Mail, Exchange to Salesforce: fetched 30")
    for name in ("objects", "changes", "failures", "total_changes", "issues", "conflicts"):
        assert job[name] == row[name]
    assert job["error"]["source"] == row["error_source"]
    assert job["error"]["category"] == row["error_category"]
    assert job["exception"].startswith(row["exception"][:40])
    assert job["advice"]["steps"]
    assert job["durations"] == {"mail_s": 1.5, "crm_s": 2.25, "engine_s": 0.5}
    assert job["same_cause"]["users"] >= 0
    assert job["log"]["chunks_arrived"] == 2
    before = await body(client, f"/sessions/{job['previous_key']}")
    assert before["next_key"] == job["key"]
    assert before["run"] < job["run"]


async def test_a_duration_has_the_users_own_to_compare_with(client: httpx.AsyncClient, service: Service) -> None:
    row = (await body(client, "/sessions?limit=1&sort=-run"))["rows"][0]
    user = (row["organization_id"], row["user_id"], datetime.fromisoformat(row["run"]))
    async with service.database.connect() as connection:
        before = await connection.fetch(
            "SELECT started_at FROM sync_session WHERE organization_id = $1 AND user_id = $2 AND started_at < $3 "
            "ORDER BY started_at DESC",
            *user,
        )
        for place, each in enumerate(before):
            await connection.execute(
                "UPDATE sync_session SET status = $4, ended_at = started_at + $5 "
                "WHERE organization_id = $1 AND user_id = $2 AND started_at = $3",
                *user[:2], each["started_at"], "finished" if place < 6 else "errors", timedelta(seconds=10 + place),
            )  # fmt: skip
    assert (await body(client, f"/sessions/{row['key']}"))["usual_duration_s"] == 12.5
    oldest = (await body(client, f"/sessions?sort=run&limit=1&user_id={user[1]}"))["rows"][0]
    assert (await body(client, f"/sessions/{oldest['key']}"))["usual_duration_s"] is None


async def test_a_session_without_a_report_says_whether_one_may_still_come(
    service: Service, client: httpx.AsyncClient, now: datetime
) -> None:  # fmt: skip
    row = (await body(client, "/sessions?limit=1&sort=-run"))["rows"][0]
    place = session_of(row["key"])
    assert place
    async with service.database.connect() as connection, await service.as_person("support") as person:
        for status, said in (("running", "None yet: "), ("errors", "None reached: ")):
            await connection.execute(
                "UPDATE sync_session SET report = NULL, status = $1, ended_at = $2"
                " WHERE (started_at, session_id) = ($3, $4)",
                status, None if status == "running" else now, *place,
            )  # fmt: skip
            page = (await person.get(f"/sessions/{row['key']}")).text
            assert re.findall('<p class="t3">(None [a-z]+: )', page) == [said]


async def test_c14_a_closing_by_the_service_is_told_on_page_and_list(
    service: Service, client: httpx.AsyncClient, now: datetime
) -> None:  # fmt: skip
    async with service.database.connect() as connection:
        session = await connection.fetchrow(
            "UPDATE sync_session SET error_source = NULL, error_category = NULL, error_code = NULL,"
            " status_detail = 'reading the calendar', timed_out_at = $1 WHERE (started_at, session_id) IN"
            " (SELECT started_at, session_id FROM sync_session WHERE status = 'timed_out' LIMIT 1)"
            " RETURNING started_at, session_id, organization_id",
            now - timedelta(minutes=5),
        )
        assert session is not None
        key = session_key(session["started_at"], session["session_id"])
        closed = "closed by the service at 11:55:00: nothing heard of it for 30 min or more; reading the calendar"
        job = await body(client, f"/sessions/{key}")
        assert (job["status"], job["advice"]["listed"], job["advice"]["who"]) == ("timed_out", True, "vendor")
        assert "the service closed it" in job["advice"]["cause"]
        list_path = f"/organizations/{session['organization_id']}/statistics?status="
        async with await service.as_person("support") as person:
            assert closed in (await person.get(f"/sessions/{key}")).text
            assert f'data-full="">{closed}</span>' in (await person.get(list_path)).text
            await connection.execute(
                "UPDATE sync_session SET status = 'finished', ended_at = started_at + interval '1 minute'"
                " WHERE session_id = $1",
                session["session_id"],
            )
            had = "the service had closed it at 11:55:00, before it was heard of again; reading the calendar"
            for path in (f"/sessions/{key}", list_path):
                page = (await person.get(path)).text
                assert had in page
                assert closed not in page


async def test_c15_what_finished_is_green_nowhere_while_its_report_is_incomplete(
    service: Service, client: httpx.AsyncClient
) -> None:  # fmt: skip
    async with service.database.connect() as connection:
        who = await connection.fetchrow("SELECT * FROM user_status WHERE last_status = 'finished' LIMIT 1")
        assert who is not None
        newest, *before = unpack(who["recent"])
        await connection.execute(
            "UPDATE user_status SET recent = $1 WHERE user_id = $2",
            pack([replace(newest, issues_missing=2), *before]), who["user_id"],
        )  # fmt: skip
        await connection.execute(
            "UPDATE sync_session SET issues_sent = issues_arrived + 2 WHERE session_id = $1", who["last_session_id"]
        )
    key = session_key(who["last_started_at"], who["last_session_id"])
    organization, user = f"/organizations/{who['organization_id']}", f"/users/{who['organization_id']}/{who['user_id']}"
    only = f"?session_id={who['last_session_id']}&status="
    word = f"{icon('half-ring', 14)}report incomplete</span>"
    async with await service.as_person("support") as person:
        for path in (
            f"/sessions{only}", f"{organization}/statistics{only}", f"{user}{only}",
            f"{organization}?user_id={who['user_id']}", f"/sessions/{key}", f"/sessions/{key}/log",
        ):  # fmt: skip
            page = (await person.get(path)).text
            assert f'<span class="st s-report_incomplete">{word}' in page, path
            _, _, row = page.partition('<tbody id="rows"')
            assert "s-finished" not in (row or page.partition("</header>")[2]).replace("s-finished_with_issues", ""), (
                path
            )
        assert 'class="p-report_incomplete"' in (await person.get(f"/users?user_id={who['user_id']}")).text
        assert f'class="c-report_incomplete" href="/sessions/{quote(key, safe="")}"' in (await person.get(user)).text


async def test_issues_of_a_session_are_those_it_saw(client: httpx.AsyncClient) -> None:
    row = (await body(client, "/sessions?issues=1&limit=1"))["rows"][0]
    answer = await body(client, f"/sessions/{row['key']}/issues")
    seen = answer["rows"]
    assert answer["total"] == len(seen)
    assert [(each["object_name"], each["operation"], each["error_code"]) for each in seen] == [
        ("Budget review", "update", 1)
    ]


async def test_an_attempt_without_a_log_is_told_of_all_the_same(service: Service, client: httpx.AsyncClient) -> None:
    row = (await body(client, "/sessions?limit=1"))["rows"][0]
    change = "UPDATE sync_session SET attempt = $1, counted_attempt = 2 WHERE started_at = $2"
    async with service.database.connect() as connection:
        await connection.execute(change, 3, datetime.fromisoformat(row["run"]))
        told = (await body(client, f"/sessions/{row['key']}"))["attempts"]
        assert [(each["attempt"], each["lines"]) for each in told] == [(1, 6), (2, 0), (3, 0)]
        async with await service.as_person("support") as person:
            page = (await person.get(f"/sessions/{row['key']}")).text
        assert "Attempt 1: 6 log lines, <time" in page
        assert "Attempt 2: no log has arrived; the figures are still those of it</li>" in page
        assert "Attempt 3: no log has arrived</li>" in page
        await connection.execute(change, 9_000, datetime.fromisoformat(row["run"]))
    told = (await body(client, f"/sessions/{row['key']}"))["attempts"]
    assert [each["attempt"] for each in told] == [1, *range(8_981, 9_001)]


async def test_a_users_page_says_why_and_shows_its_last_20_sessions(client: httpx.AsyncClient) -> None:
    found = (await body(client, "/users?status=failing&columns=user,status,why,last_20,in_a_row"))["rows"][0]
    page = await body(client, f"/users/{found['organization_id']}/{found['user_id']}")
    assert page["status"] == "failing"
    deciding = [link for link in page["chain"] if link["state"] == "deciding"]
    assert [link["icon"] for link in deciding] == ["failing"]
    assert [link["state"] for link in page["chain"]].index("deciding") >= 2
    assert len(page["recent"]) == len(found["last_20"]) == 20
    assert [each["key"] for each in page["recent"]] == [each["key"] for each in found["last_20"]]
    assert page["recent"][-1]["key"] == page["last_session_key"]
    assert page["advice"]["steps"]
    assert found["why"].startswith("caused by")


TO_DO: Any = {
    ("late", "overdue"): "vendor", ("late", "never_ran"): "organization_admin", ("late", "agent_silent"): "vendor",
    ("stuck", "past_limit"): "vendor", ("partial", "session_issues"): "user", ("partial", "issues_missing"): "vendor",
    ("disabled", "off_authorization"): "organization_admin", ("disabled", "off_throttling"): "organization_admin",
    ("failing", "session_timed_out"): "vendor", ("failing", "session_errors"): "vendor",
    ("disabled", "off_manual"): None, ("disabled", "organization_off"): None, ("healthy", "session_finished"): None,
}  # fmt: skip


async def test_a_user_gets_advice_on_every_status_that_needs_something_done(
    service: Service, client: httpx.AsyncClient
) -> None:
    path = f"/users/{organization_id(0)}/{user_id(0, 1)}"
    async with service.database.connect() as connection, await service.as_person("support") as person:
        await connection.execute("UPDATE user_status SET error_source = NULL, error_category = NULL, error_code = NULL")
        for (status, reason), who in TO_DO.items():
            await connection.execute("UPDATE user_status SET status = $1, reason = $2", status, reason)
            told = (await body(client, path))["advice"]
            assert (told and told["who"]) == who, reason
            assert told is None or told["listed"] == (reason != "session_errors"), (
                "no error was told: the general answer"
            )
            assert ("What to do" in (await person.get(path)).text) == (who is not None), reason


async def test_an_organization_off_after_an_error_says_what_to_do_about_that(
    service: Service, client: httpx.AsyncClient
) -> None:
    async with service.database.connect() as connection:
        await connection.execute("UPDATE organization SET sync_enabled = false, disabled_reason = 'authorization'")
        await connection.execute("UPDATE user_status SET status = 'disabled', reason = 'organization_off'")
    told = (await body(client, f"/users/{organization_id(0)}/{user_id(0, 1)}"))["advice"]
    assert "kept refusing the account" in told["cause"]


async def test_issues_of_a_session_have_advice_once_for_each_code(service: Service, client: httpx.AsyncClient) -> None:
    row = (await body(client, "/sessions?issues=1&limit=1"))["rows"][0]
    async with service.database.connect() as connection:
        session = await connection.fetchrow(
            "SELECT * FROM sync_session WHERE started_at = $1 AND user_id = $2",
            datetime.fromisoformat(row["run"]), UUID(row["user_id"]),
        )  # fmt: skip
        assert session is not None
        for number in range(3):
            await add_issue(connection, session, f"Plain {number}")
        for name, change in (
            ("Gone", "state = 'resolved'"), ("Done", "error_code = 0"), ("Before", "attempt = attempt + 1"),
        ):  # fmt: skip
            await add_issue(connection, session, name)
            await connection.execute(f"UPDATE issue_sighting SET {change} WHERE object_name = $1", name)
        await connection.execute(
            "UPDATE issue_sighting SET error_source = NULL, error_category = NULL, error_code = 3"
            " WHERE object_name ^@ 'Plain'"
        )
    whole = await body(client, f"/sessions/{row['key']}/issues")
    assert (whole["total"], [each["object_name"] for each in whole["rows"]][4:]) == (4, ["Gone", "Done"])
    told = whole["advice"]
    assert [(each["error_code"], each["error_category"], each["issues"]) for each in told] == [
        (1, "locked", 1), (3, None, 3),
    ]  # fmt: skip
    async with await service.as_person("support") as person:
        page = (await person.get(f"/sessions/{row['key']}")).text
    assert page.count('<details class="block advice">') == 2
    assert "4 of this session, 1 resolved in it, 1 of code 0, no issue" in page
    assert "What to do about error code 3, object is inaccessible / updated prematurely in a storage: 3 issues" in page
    assert all(each["steps"][0] in page for each in told)


async def test_q10_the_overviews_numbers_are_those_of_the_lists(client: httpx.AsyncClient) -> None:
    figures = await body(client, "/overview")
    for health, number in figures["organizations"].items():
        assert (await body(client, f"/organizations?health={health}"))["total"] == number, health
    for status, number in figures["users"].items():
        assert (await body(client, f"/users?status={status}"))["total"] == number, status
    totals = figures["hours"]["totals"]
    first = figures["hours"]["hours"][0]["hour"]
    for status, number in totals.items():
        listed = await body(client, f"/sessions?status={status}&run={first}..")
        assert listed["total"] == number, status
    assert len(figures["hours"]["hours"]) == 24
    errors = sum(kind["errors"] for kind in figures["kinds"])
    assert errors == totals["errors"] + totals["timed_out"]
    for kind in figures["kinds"]:
        assert sum(kind["bars"]) == kind["errors"]
        query = f"/sessions?status=errors,timed_out&error_source=eq:{kind['source']}&run={first}.."
        category = f"&error_category=eq:{kind['category']}"
        assert (await body(client, query + category))["total"] == kind["errors"], kind
    assert {row["status"] for row in figures["failures"]} <= {"errors", "timed_out"}
    assert [row["run"] for row in figures["failures"]] == sorted(
        (row["run"] for row in figures["failures"]), reverse=True
    )


async def test_figures_of_one_organization_are_its_own(client: httpx.AsyncClient) -> None:
    one = await body(client, f"/session-hours?organization={organization_id(0)}&hours=48")
    listed = await body(client, f"/organizations/{organization_id(0)}/sessions?run=48h")
    assert sum(one["totals"].values()) == listed["total"]
    page = await body(client, f"/organizations/{organization_id(0)}")
    assert page["chain"][0]["words"] == "Organization on"
    assert page["agents"][0]["silent"] is False
    assert page["users"] == (await body(client, f"/organizations/{organization_id(0)}/users"))["total"]


async def test_search_finds_names_addresses_and_ids(client: httpx.AsyncClient) -> None:
    assert (await body(client, "/search?q=ZOE"))["users"][0]["name"].startswith("Zoë")
    assert (await body(client, "/search?q=northwind"))["organizations"][0]["organization_id"] == str(organization_id(0))
    by_id = await body(client, f"/search?q={user_id(1, 2)}")
    assert [each["user_id"] for each in by_id["users"]] == [str(user_id(1, 2))]
    row = (await body(client, "/sessions?limit=1"))["rows"][0]
    assert (await body(client, f"/search?q={row['key']}"))["session_key"] == row["key"]
    assert (await body(client, "/search?q=%25"))["users"] == []


async def test_an_end_user_is_told_of_nobody_else(service: Service, client: httpx.AsyncClient) -> None:
    failing = "/users?status=failing&error_source=not:has:empty&limit=1&columns=user,organization"
    row = (await body(client, failing))["rows"][0]
    key = row["last_session_key"]
    assert (await body(client, f"/sessions/{key}"))["same_cause"]["users"] >= 1
    whose = UUID(row["organization_id"]), UUID(row["user_id"])
    async with await service.as_person("end_user", *whose) as person, await service.as_person("support") as support:
        assert (await person.get(f"/api/v1/sessions/{key}")).json()["same_cause"] is None
        own, full = (await person.get(f"/sessions/{key}")).text, (await support.get(f"/sessions/{key}")).text
    for text in ("Users failing for the same cause: ", ", the first since "):
        assert text in full
        assert text not in own
