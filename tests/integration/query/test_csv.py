"""CSV: the guard, the zone, the words, whole or visibly cut."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.columns import LISTS, Column, Type
from schemas.vocabulary import direction_words
from schemas.vocabulary import words as word_of
from services.query.exports.columns import columns_of
from services.query.formulas import guarded_sql
from services.query.lists import fetch_page
from services.query.panel.marks import strip_words
from services.query.panel.parts import outcome
from services.query.rows import report_words
from services.query.views.view import All, parse
from tests.corpus.formulas import CASES
from tests.integration.query.conftest import Service, ask_raw, freed
from tests.rig.databases import Database
from tests.rig.seed import Plan, add_issue, organization_id, seed

TEXTS = (
    "=1+1", "+1-1", "-2+3", "@SUM(1)", "\t=1", "\rx", "\n=1", "＝1", "＋1", "－1", "＠x", "-", "+49 30 123", "'=1",
)  # fmt: skip
PLAIN = ("", "'t Hooft", "a=1", "1", " =1", 'say "hi"', "a,b;c", "línea\nzwei\r\ndrei", "0", "R&D")


def read(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """Read a CSV as a spreadsheet does."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter))


async def add_texts(service: Service, now: datetime) -> dict[str, str]:
    """Seed a user with an issue for each text; return object_id → text."""
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
        session = dict(await connection.fetchrow("SELECT * FROM sync_session"))
        await connection.execute("DELETE FROM sync_issue; DELETE FROM issue_sighting")
        texts = {}
        for at, text in enumerate((*TEXTS, *PLAIN)):
            issue = await add_issue(connection, session, f"{at}", error_text=text)
            await connection.execute("UPDATE sync_issue SET object_id = $2 WHERE issue_id = $1", issue, f"row {at}")
            texts[f"row {at}"] = text
    return texts


async def test_c19_every_text_that_would_run_is_guarded_and_no_number_is(service: Service, now: datetime) -> None:
    texts = await add_texts(service, now)
    async with service.database.connect() as connection:
        await connection.execute("UPDATE sync_session SET failures = -5, changes = 9007199254740993, objects = 0")
    client = await service.as_key("platform_admin")
    answer = await client.get("/api/v1/issues.csv?columns=object_id,error_text,first_seen,times")
    for row in read(answer.text):
        text = texts[row["Object id"]]
        assert row["Error Text"] == (f"'{text}" if text in TEXTS else text)
        assert row["Times"] == "1"
        assert datetime.fromisoformat(row["First seen (UTC)"])
    raw = await client.get("/api/v1/issues.csv?columns=object_id,error_text&raw=1")
    assert {row["object_id"]: row["error_text"] for row in read(raw.text)} == texts
    numbers = read((await client.get("/api/v1/sessions.csv?columns=failures,changes,objects,run")).text)[0]
    assert (numbers["Failures"], numbers["Changes"], numbers["Objects"]) == ("-5", "9007199254740993", "0")
    listed = (await client.get("/api/v1/issues?columns=object_id,error_text")).json()
    assert {row["object_id"]: row["error_text"] for row in listed["rows"]} == texts


async def test_c19_a_file_guards_what_a_page_guards(database: Database) -> None:
    async with database.connect("reader") as connection:
        sql = f"SELECT x, {guarded_sql('x')} AS cell FROM unnest($1::text[]) AS t (x)"
        rows = await connection.fetch(sql, list(CASES))
    assert {row["x"]: row["cell"] for row in rows} == CASES


ANY = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
RISKY = st.builds(str.__add__, st.text(st.sampled_from("=+-@\t\r\n＝＋－＠' "), max_size=3), ANY)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RISKY, min_size=200, max_size=200))
def test_s13_no_cell_begins_with_what_a_spreadsheet_runs(database: Database, texts: list[str]) -> None:
    async def ask() -> list[Any]:
        async with database.connect("reader") as connection:
            sql = f"SELECT {guarded_sql('x')} AS cell FROM unnest($1::text[]) WITH ORDINALITY AS t (x, n) ORDER BY n"
            return [row["cell"] for row in await connection.fetch(sql, texts)]

    for text, cell in zip(texts, asyncio.run(ask()), strict=True):
        assert cell in (text, f"'{text}")
        assert cell[:1] not in tuple("=+-@\t\r\n＝＋－＠")


async def test_times_stand_in_the_views_zone_with_the_zone_in_the_title(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
        started = await connection.fetchval("SELECT started_at FROM sync_session")
    client = await service.as_key("platform_admin")
    answer = await client.get("/api/v1/sessions.csv?columns=run&tz=Europe/Berlin")
    assert answer.text.startswith("\ufeff")
    row = read(answer.text)[0]
    assert row["Run (Europe/Berlin)"] == started.astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%d %H:%M:%S")
    raw = read((await client.get("/api/v1/sessions.csv?columns=run,status&tz=Europe/Berlin&raw=1&bom=0")).text)[0]
    assert datetime.fromisoformat(raw["run"]) == started
    assert answer.text.count("\r\n") == 2
    tabbed = await client.get("/api/v1/sessions.csv?columns=run,status&sep=tab")
    assert len(read(tabbed.text, "\t")[0]) == 3


def words(column: Column, row: Mapping[str, Any], zone: ZoneInfo) -> str:
    """Return how a value of a page reads in a file; nothing reads as an empty text."""
    value = row[column.name]
    if value is None:
        return ""
    match column.type:
        case Type.LIST | Type.OPEN_LIST:
            return word_of(column.words or {}, value)
        case Type.DIRECTION:
            return direction_words(value, row.get("mail_system"), row.get("crm_system"))
        case Type.CODE:
            meaning = (column.words or {}).get(str(value), "")
            return f"{value} {meaning}".rstrip()
        case Type.TIME | Type.PERIOD:
            return str(value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"))
        case Type.SECONDS | Type.SHARE:
            return str(Decimal(str(value)).quantize(Decimal("0.1"), ROUND_HALF_UP))
        case Type.STRIP:
            return strip_words([outcome(each["status"], each["report_complete"]) for each in value]) if value else ""
        case Type.REPORT:
            return report_words(value, row.get("mail_system"), row.get("crm_system"))
        case _:
            return str(value)


@pytest.mark.parametrize("list_name", ["organizations", "users", "sessions", "issues"])
async def test_a_cell_reads_as_on_the_page(service: Service, now: datetime, list_name: str) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=3, users=5, sessions=6))
    params = [
        ("columns", ",".join(column.name for column in LISTS[list_name].columns)),
        ("tz", "Asia/Tokyo"),
        ("limit", "500"),
    ]
    view = parse(list_name, params, scope=All(), now=now, secret=service.services.secret)
    page = await fetch_page(service.services, view)
    client = await service.as_key("platform_admin")
    cells = read((await client.get(f"/api/v1/{list_name}.csv?{view.query()}")).text)
    assert len(cells) == len(page.rows) > 0
    for row, cell in zip(page.rows, cells, strict=True):
        for column in columns_of(view):
            zoned = f" ({view.zone.key})" if column.type in (Type.TIME, Type.PERIOD) else ""
            assert cell[f"{column.heading}{zoned}"] == words(column, row, view.zone), column.name


async def test_r17_the_users_file_ends_with_the_last_session_also_where_hidden(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=2, sessions=2))
    client = await service.as_key("platform_admin")
    path = f"/api/v1/organizations/{organization_id(0)}/users.csv"
    head = (
        (await client.get(f"{path}?columns=user,synchronization_disabled")).text.removeprefix("\ufeff").splitlines()[0]
    )
    assert head.startswith("User,Synchronization Disabled,Last session: Run (UTC),")
    assert head.endswith("Issues,Total Changes,Error code,Exception,Conflicts")


async def test_q5_an_exports_record_says_complete_rows_and_digest(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=3, sessions=4))
    client = await service.as_key("platform_admin")
    answer = await client.get("/api/v1/sessions.csv?status=finished,errors&tz=Asia/Tokyo")
    identity = answer.headers["syncwatch-export-id"]
    record = (await client.get(f"/api/v1/exports/{identity}")).json()
    assert (record["complete"], record["rows"]) == (True, len(read(answer.text)))
    assert (record["bytes"], record["sha256"]) == (len(answer.content), sha256(answer.content).hexdigest())
    again = await client.get(f"/api/v1/sessions.csv?{record['query']}")
    assert again.content == answer.content
    async with service.database.connect() as connection:
        actions = await connection.fetch("SELECT action, object FROM audit_event")
    assert [tuple(row) for row in actions] == [("export_started", "sessions")] * 2


async def many_sessions(service: Service, now: datetime, number: int) -> None:
    """Seed one user with many sessions of different starts."""
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
        columns = [
            row["column_name"]
            for row in await connection.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'sync_session'"
            )
        ]
        changed = {
            "started_at": "started_at - n * interval '1 second'", "session_id": "gen_random_uuid()",
            "status_detail": "repeat('x', 300)",
        }  # fmt: skip
        values = ", ".join(changed.get(name, f'"{name}"') for name in columns)
        names = ", ".join(f'"{name}"' for name in columns)
        await connection.execute(
            f"INSERT INTO sync_session ({names}) SELECT {values} FROM sync_session, generate_series(1, {number}) AS n"
        )


async def test_c20_a_file_that_is_cut_never_looks_whole(service: Service, now: datetime) -> None:
    await many_sessions(service, now, 60_000)
    sent: list[bytes] = []
    state = {"killed": False}

    async def send(message: Any) -> None:
        if message["type"] != "http.response.body":
            return
        sent.append(message["body"])
        if len(sent) == 20:
            async with service.database.connect() as connection:
                killed = await connection.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'query-export%' AND datname = current_database()"
                )
                state["killed"] = bool(killed)
        assert message.get("more_body"), "a cut file was ended politely"

    with pytest.raises(Exception, match=r".*"):
        await ask_raw(service, "/api/v1/sessions.csv", "columns=user,run,status,status_detail", send)
    assert state["killed"]
    async with service.database.connect() as connection:
        row = await connection.fetchrow("SELECT state, sha256 FROM export")
    assert (row["state"], row["sha256"]) == ("cut", None)


async def test_q11_delete_stops_an_export_and_frees_its_backend(service: Service, now: datetime) -> None:
    await many_sessions(service, now, 60_000)
    begun, identity = asyncio.Event(), []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            identity.append(dict(message["headers"])[b"syncwatch-export-id"].decode())
            begun.set()
        await asyncio.sleep(0.05)

    asking = asyncio.ensure_future(ask_raw(service, "/api/v1/sessions.csv", "", send))
    await asyncio.wait_for(begun.wait(), 60)
    client = await service.as_key("platform_admin")
    assert (await client.delete(f"/api/v1/exports/{identity[0]}")).status_code == 204
    with pytest.raises(Exception, match="stopped"):
        await asyncio.wait_for(asking, 60)
    assert (await client.get(f"/api/v1/exports/{identity[0]}")).json()["state"] == "cancelled"
    await freed(service)


async def test_q4_a_client_that_leaves_frees_its_backend(service: Service, now: datetime) -> None:
    await many_sessions(service, now, 60_000)
    begun = asyncio.Event()

    async def send(message: Any) -> None:
        begun.set()
        await asyncio.sleep(0.02)

    async def receive() -> Any:
        await begun.wait()
        return {"type": "http.disconnect"}

    with pytest.raises(Exception, match="stopped"):
        await asyncio.wait_for(ask_raw(service, "/api/v1/sessions.csv", "", send, receive), 60)
    await freed(service)
    async with service.database.connect() as connection:
        assert await connection.fetchval("SELECT state FROM export") == "cut"


async def test_an_export_needs_http_1_1(service: Service, now: datetime) -> None:
    statuses = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {await service.key('platform_admin')}".encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.0", "method": "GET", "scheme": "http",
        "path": "/api/v1/sessions.csv", "raw_path": b"/api/v1/sessions.csv", "query_string": b"", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080), "root_path": "", "state": {},
    }  # fmt: skip

    async def receive() -> Any:
        await asyncio.sleep(3600)

    await service.app(scope, receive, send)
    assert statuses == [505]


async def test_two_exports_at_once_are_all_that_run_and_others_come_again(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
    client = await service.as_key("platform_admin")
    pool = service.services.pools.exports_all
    async with pool.acquire(), pool.acquire():
        answer = await client.get("/api/v1/sessions.csv")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_an_export_has_every_row_whatever_the_screen_shows(service: Service, now: datetime) -> None:
    await many_sessions(service, now, 12_000)
    client = await service.as_key("platform_admin")
    answer = await client.get("/api/v1/sessions.csv?columns=session_id,run&limit=10")
    assert len({row["Session id"] for row in read(answer.text)}) == 12_001
    page = (await client.get("/api/v1/sessions?limit=10")).json()
    assert (page["total"], page["total_is_exact"]) == (10_000, False)


async def test_q3_a_client_that_stops_reading_is_cut(
    service: Service, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.query.exports.sink._STALLED_S", 0.2)
    await many_sessions(service, now, 2_000)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(3600)

    with pytest.raises(Exception, match="stopped reading"):
        await asyncio.wait_for(ask_raw(service, "/api/v1/sessions.csv", "", send), 60)
    await freed(service)
    async with service.database.connect() as connection:
        assert await connection.fetchval("SELECT state FROM export") == "cut"


async def test_q7_a_list_waits_a_second_for_a_connection_and_then_says_when_to_come_again(service: Service) -> None:
    client = await service.as_key("platform_admin")
    pool = service.services.pools.lists_all
    held = [await pool.acquire() for _ in range(pool.get_max_size())]
    try:
        answer = await client.get("/api/v1/users")
    finally:
        for each in held:
            await pool.release(each)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) > 0
