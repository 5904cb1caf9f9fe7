"""Filters: what each finds, the same on list, count and file; what is not understood is refused."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from schemas.columns import LISTS, Type
from schemas.folding import fold
from schemas.vocabulary import ERROR_CODE, SESSION_STATUS
from tests.integration.query.conftest import Service, read
from tests.rig.samples import samples
from tests.rig.seed import insert, organization_id, user_id

ADDRESSES = ("a_b@x.example", "axb@x.example", "50%@x.example", "50x@x.example", "back\\slash@x.example",
             "％@x.example", "o'neil@x.example", '"q"@x.example', "ann+crm@x.example", "Zoë@x.example")  # fmt: skip


async def add_addresses(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        for at, address in enumerate(ADDRESSES):
            whose = {"organization_id": organization_id(0), "user_id": user_id(9, at)}
            names = {"email": address, "email_key": fold(address), "name_key": fold(address)}
            await insert(connection, "sync_user", whose | names | {"first_seen_at": now})
            await insert(connection, "user_status", whose | {"partition": 0})
            started = now - timedelta(minutes=at + 1)
            session = {
                "started_at": started,
                "session_id": user_id(8, at),
                "began": started,
                "first_appended_at": started,
            }
            version = {"attempt": 1, "seq": 1, "digest": 0, "counted_attempt": 1, "counted_seq": 1, "counted_digest": 0}
            rest = {
                "appended_at": started,
                "status": "finished",
                "status_sent": "finished",
                "agent_id": "a",
                "partition": 0,
            }
            await insert(connection, "sync_session", whose | session | version | rest | {"counted_ended": True})


async def emails(client: httpx.AsyncClient, path: str, name: str, text: str) -> list[str]:
    """Return the addresses that a filter finds, after checking that list, count and file agree."""
    query = f"{name}={quote(text, safe='')}"
    answer = await client.get(f"/api/v1{path}?{query}&limit=500")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    found = sorted(row["email"] for row in body["rows"])
    assert (body["total"], body["total_is_exact"]) == (len(found), True)
    file = await client.get(f"/api/v1{path}.csv?{query}&columns=email")
    assert sorted(row["E-mail"] for row in read(file.text)) == found
    assert body["filters"][name]
    return found


@pytest.mark.parametrize("path", ["/users", "/sessions", f"/organizations/{organization_id(0)}/sessions"])
async def test_c21_percent_and_underscore_are_letters(
    service: Service, client: httpx.AsyncClient, now: datetime, path: str
) -> None:  # fmt: skip
    await add_addresses(service, now)
    for text, found in (
        ("a_b", ["a_b@x.example"]), ("50%", ["50%@x.example"]), ("\\", ["back\\slash@x.example"]),
        ("％", ["％@x.example"]),
        ("*", []), ("'", ["o'neil@x.example"]), ('"', ['"q"@x.example']), ("eq:a_b@x.example", ["a_b@x.example"]),
        ("eq:a_b", []), ("ZOE@", ["Zoë@x.example"]), ("ann+crm", ["ann+crm@x.example"]),
    ):  # fmt: skip
        assert await emails(client, path, "email", text) == found, text
        assert await emails(client, path, "email", text + "x" * 200) == []
    others = await emails(client, path, "email", "not:a_b")
    assert "axb@x.example" in others
    assert "a_b@x.example" not in others


async def test_c23_a_plus_is_not_a_space(service: Service, client: httpx.AsyncClient, now: datetime) -> None:
    await add_addresses(service, now)
    assert await emails(client, "/users", "email", "ann+crm@x.example") == ["ann+crm@x.example"]
    by_hand = (await client.get("/api/v1/users?email=ann+crm@x.example")).json()
    assert by_hand["rows"] == []
    assert by_hand["filters"] == {"email": "contains “ann crm@x.example”"}
    answer = await client.get("/api/v1/sessions?started_at=2026-11-01T00:00:00+01:00..")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "started_at"
    assert "%2B" in answer.json()["errors"][0]["detail"]
    first = await client.get("/api/v1/users?email=not:ann%2Bcrm&limit=2")
    assert "email=not:ann%2Bcrm" in first.headers["link"]
    link = first.headers["link"].partition(">")[0].removeprefix("<")
    assert (await client.get(link)).status_code == 200


WRONG = (
    "failures=abc", "failures=5...9", "status=eror", "started_at=2026-13-01..", "emial=x", "sort=-nope", "columns=foo",
    "limit=0", "limit=501", "cursor=garbage", "status=not:", "status=errors&status=errors", "tz=Nowhere", "limit=five",
)  # fmt: skip


async def test_words_of_a_list_become_slugs_in_the_address_and_nothing_else_changes(service: Service) -> None:
    async with await service.as_person("support") as person:
        for written, address in (
            ("status=Timed+out,err&user=A%2BB&tz=UTC", "status=errors,timed_out&user=A%2BB&tz=UTC"),
            ("status=not:finished+with+issues&limit=5", "status=not:finished_with_issues&limit=5"),
            ("error_source=Microsoft+Exchange&failures=abc", "error_source=exchange&failures=abc"),
            ("status=errors,timed_out", ""), ("status=foo", ""), ("error_source=micro", ""), ("", ""),
        ):  # fmt: skip
            answer = await person.get(f"/sessions?{written}")
            assert answer.status_code in ((303,) if address else (200, 400)), written
            assert answer.headers.get("location", "").partition("?")[2] == address
            if address:
                assert (await person.get(answer.headers["location"])).status_code in (200, 400)


@pytest.mark.parametrize("query", WRONG)
async def test_c24_a_filter_not_understood_is_a_400_that_names_what_is_allowed(
    service: Service, client: httpx.AsyncClient, query: str
) -> None:  # fmt: skip
    for path in ("/sessions", f"/organizations/{organization_id(0)}/sessions"):
        answers = [await client.get(f"/api/v1{path}{ending}?{query}") for ending in ("", ".csv")]
        assert [answer.status_code for answer in answers] == [400, 400]
        assert answers[0].json() == answers[1].json()
        assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers)
        assert "content-disposition" not in answers[1].headers
        assert answers[0].json()["errors"][0]["parameter"] == query.partition("=")[0]
    async with service.database.connect() as connection:
        assert await connection.fetchval("SELECT count(*) FROM export") == 0


@pytest.mark.parametrize("list_name", ["organizations", "users", "sessions", "issues"])
async def test_c24_every_operator_of_every_column_gives_list_and_file_the_same_rows(
    client: httpx.AsyncClient, list_name: str
) -> None:
    view = LISTS[list_name]
    whole = (await client.get(f"/api/v1/{list_name}?limit=500")).json()["total"]
    key = {"organizations": "organization_id", "users": "user_id", "sessions": "session_id", "issues": "issue_id"}[
        list_name
    ]
    title = view.column(key)
    assert title is not None
    for column in view.columns:
        for at, text in enumerate(samples(column)):
            query = f"{column.name}={quote(text, safe='')}&columns={key}"
            answer = await client.get(f"/api/v1/{list_name}?{query}&limit=500")
            assert answer.status_code == 200, (column.name, text, answer.text)
            listed = [row[key] for row in answer.json()["rows"]]
            assert answer.json()["total"] == len(listed), (column.name, text)
            file = read((await client.get(f"/api/v1/{list_name}.csv?{query}")).text)
            assert [row[title.heading] for row in file] == listed, (column.name, text)
            if at == 0 and column.type is not Type.ID:
                negated = await client.get(
                    f"/api/v1/{list_name}?{column.name}={quote('not:' + text, safe='')}&limit=500"
                )
                assert negated.json()["total"] == whole - len(listed), (column.name, text)


@pytest.mark.parametrize("list_name", ["organizations", "users", "sessions", "issues"])
async def test_what_is_empty_is_what_shows_nothing(client: httpx.AsyncClient, list_name: str) -> None:
    columns = [column for column in LISTS[list_name].columns if column.type not in (Type.REPORT, Type.STRIP)]
    names = ",".join(column.name for column in columns)
    rows = (await client.get(f"/api/v1/{list_name}?limit=500&columns={names}")).json()["rows"]
    for column in columns:
        empty = sum(row[column.name] in (None, "") for row in rows)
        for text, number in (("has:empty", empty), ("not:has:empty", len(rows) - empty)):
            answer = await client.get(f"/api/v1/{list_name}?limit=500&{column.name}={text}")
            assert answer.json()["total"] == number, (column.name, text)


async def test_users_are_found_by_a_status_among_their_last_20_sessions(client: httpx.AsyncClient) -> None:
    everybody = (await client.get("/api/v1/users?limit=500&columns=last_20")).json()["rows"]
    having = {status: {row["user_id"] for row in everybody if _has(row, status)} for status in SESSION_STATUS}
    assert having["errors"]
    assert having["finished"] - having["errors"]
    for status, users in having.items():
        found = (await client.get(f"/api/v1/users?limit=500&columns=user&last_20={status}")).json()["rows"]
        assert {row["user_id"] for row in found} == users, status


def _has(row: dict[str, Any], status: str) -> bool:
    return any(session["status"] == status for session in row["last_20"])


async def test_an_empty_form_is_no_filter(client: httpx.AsyncClient) -> None:
    boxes = "&".join(f"{column.name}=" for column in LISTS["sessions"].columns)
    all_rows = (await client.get("/api/v1/sessions?limit=500")).json()["total"]
    assert (await client.get(f"/api/v1/sessions?limit=500&{boxes}")).json()["total"] == all_rows


async def test_organizations_are_found_by_what_users_of_them_fail_for(service: Service, now: datetime) -> None:
    kinds = ((0, "salesforce", "quota"), (0, "salesforce", "quota"), (0, None, "wobbly"), (1, "gmail", "quota"))
    async with service.database.connect() as connection:
        for number in range(3):
            named = {"name": str(number), "name_key": str(number), "first_seen_at": now}
            await insert(connection, "organization", named | {"organization_id": organization_id(number)})
        for at, (number, source, category) in enumerate(kinds):
            failing = {"partition": 0, "status": "failing", "status_rank": 0, "since": now}
            error = {"error_source": source, "error_category": category}
            whose = {"organization_id": organization_id(number), "user_id": user_id(number, at)}
            await insert(connection, "user_status", whose | failing | error)
        partial = {"partition": 0, "status": "partial", "status_rank": 3, "since": now, "error_source": "gmail"}
        whose = {"organization_id": organization_id(2), "user_id": user_id(2, 9)}
        await insert(connection, "user_status", whose | partial)
    quota, of_mail = "Salesforce caused by an exhausted quota", "Gmail caused by an exhausted quota"
    wobbly = "Unknown wobbly"
    exact_quota, exact_wobbly = "eq:salesforce: quota", "eq:unknown: wobbly"
    async with await service.as_key("support") as client:
        shown = (await client.get("/api/v1/organizations?columns=name,failing_for&sort=name")).json()["rows"]
        assert [row["failing_for"] for row in shown] == [f"{quota}; {wobbly}", of_mail, None]
        for text, found in (
            ("QUOTA", "01"), (exact_quota, "0"), (exact_wobbly, "0"), ("eq:salesforce", ""), ("gmail", "1"),
            ("not:quota", "2"), ("has:empty", "2"), ("not:has:empty", "01"),
        ):  # fmt: skip
            query = f"failing_for={quote(text)}&sort=name"
            body = (await client.get(f"/api/v1/organizations?{query}")).json()
            file = read((await client.get(f"/api/v1/organizations.csv?{query}")).text)
            assert "".join(row["name"] for row in body["rows"]) == "".join(row["Name"] for row in file) == found, text
            assert body["total"] == len(found)


@pytest.mark.parametrize(
    ("path", "wrong", "offered"),
    [
        ("/issues?state=&", "error_code=abc", list(ERROR_CODE.values())), ("/users?", "status=%CC%81", ["has:empty"]),
        ("/sessions?", "failures=abc", ["5", "5..9", "5..", "..9", "&gt;=5", "&lt;=9", "has:empty"]),
    ],
)  # fmt: skip
async def test_what_was_not_understood_can_go_alone_or_with_all(
    service: Service, path: str, wrong: str, offered: list[str]
) -> None:
    name = wrong.partition("=")[0].replace("_", " ").title()
    async with await service.as_person("support") as person:
        for more, ways in (("", []), ("&user=ann", [f"Remove {name}"])):
            page = (await person.get(f"{path}{wrong}{more}&tz=UTC")).text
            problem = page[page.index('id="wrong"') :].partition("</div></div>")[0]
            assert re.findall(r">([^<>]+)</a>", problem) == [*offered, *ways, "Clear all filters"]
