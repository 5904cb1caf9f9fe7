"""Tenant walls: what is another organization's is not there, on any route, in any form."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from prometheus_client import generate_latest

from schemas.credentials import KEY_PREFIX, hash_of
from schemas.keys import session_key
from services.query.metrics import REGISTRY
from tests.integration.query.conftest import Service
from tests.integration.query.routes import addresses, texts_of
from tests.rig.seed import Plan, identity, name_of, organization_id, seed, user_id

MINE, THEIRS = "canarymine", "canarytheirs"
A, B = 0, 1


@pytest.fixture
async def keys(service: Service, now: datetime) -> dict[str, str]:
    """Two organizations whose every text holds a token; the keys of a session of each."""
    plan = Plan(now=now, organizations=2, users=3, sessions=14, marks={name_of(A): MINE, name_of(B): THEIRS})
    async with service.database.connect() as connection:
        await seed(connection, plan)
        rows = await connection.fetch(
            "SELECT organization_id, started_at, session_id FROM sync_session"
            " WHERE status = 'errors' ORDER BY started_at"
        )
    return {
        name: next(session_key(row["started_at"], row["session_id"]) for row in rows if row["organization_id"] == whose)
        for name, whose in (("mine", organization_id(A)), ("theirs", organization_id(B)))
    }


async def test_s1_c32_no_route_tells_an_organization_of_another(service: Service, keys: dict[str, str]) -> None:
    admin = await service.as_key("platform_admin")
    answer = await admin.get(f"/api/v1/organizations/{organization_id(B)}/sessions.csv")
    foreign_export = answer.headers["syncwatch-export-id"]
    cursor = (await admin.get("/api/v1/sessions?limit=2")).json()["next"]
    canaries = (THEIRS, str(organization_id(B)), *(str(user_id(B, number)) for number in range(3)), keys["theirs"])
    seen = 0
    for client in (
        await service.as_key("organization_admin", organization_id(A)),
        await service.as_person("organization_admin", organization_id(A)),
        await service.as_person("end_user", organization_id(A), user_id(A, 1)),
    ):
        for whose, key in ((A, keys["mine"]), (B, keys["theirs"])):
            for method, path in addresses(service, organization_id(whose), user_id(whose, 1), key, foreign_export):
                for more in (
                    "",
                    "?limit=500",
                    f"?cursor={cursor}",
                    f"?q={THEIRS}",
                    f"?user={THEIRS}",
                    "?columns=user,email",
                    "?counts=status",
                ):
                    answer = await client.request(method, path + more)
                    assert answer.status_code != 500, (method, path, more, answer.text)
                    said = texts_of(answer)
                    asked = path + more
                    assert [each for each in canaries if each not in asked and each in said] == [], (method, asked)
                    if "/api/" in path:
                        echoed = said.replace(f"“{THEIRS}”", "").replace(f'"{THEIRS}"', "").replace(f"={THEIRS}", "")
                        assert THEIRS not in echoed, (method, asked)
                    seen += 1
    assert seen > 500


async def test_s1_the_canary_is_seen_by_whom_it_may_be(service: Service, keys: dict[str, str]) -> None:
    client = await service.as_key("organization_admin", organization_id(A))
    for path in (
        "/organizations", "/users", "/sessions", "/issues", f"/sessions/{keys['mine']}",
        f"/sessions/{keys['mine']}/logs",
        "/users.csv", "/sessions.csv", f"/sessions/{keys['mine']}/logs.zip", f"/search?q={MINE}",
    ):  # fmt: skip
        answer = await client.get(f"/api/v1{path}")
        assert answer.status_code == 200
        assert MINE in texts_of(answer), path


async def test_c32_foreign_and_not_existing_get_the_same_answer(service: Service, keys: dict[str, str]) -> None:
    client = await service.as_key("organization_admin", organization_id(A))
    nowhere = session_key(service.clock, identity("nowhere"))
    admin = await service.as_key("platform_admin")
    exported = await admin.get(f"/api/v1/organizations/{organization_id(B)}/sessions.csv")
    a = organization_id(A)
    pairs = [
        (f"/organizations/{organization_id(B)}", f"/organizations/{identity('x')}"),
        (f"/organizations/{organization_id(B)}/users", f"/organizations/{identity('x')}/users"),
        (f"/organizations/{organization_id(B)}/sessions.csv", f"/organizations/{identity('x')}/sessions.csv"),
        (f"/organizations/{organization_id(B)}/logs.zip", f"/organizations/{identity('x')}/logs.zip"),
        (f"/users/{organization_id(B)}/{user_id(B, 1)}", f"/users/{organization_id(A)}/{identity('x')}"),
        (f"/users/{organization_id(B)}/{user_id(B, 1)}/issues", f"/users/{organization_id(A)}/{identity('x')}/issues"),
        (f"/users/{a}/{user_id(B, 1)}/logs.zip", f"/users/{a}/{identity('x')}/logs.zip"),
        (f"/sessions/{keys['theirs']}", f"/sessions/{nowhere}"),
        (f"/sessions/{keys['theirs']}/issues", f"/sessions/{nowhere}/issues"),
        (f"/sessions/{keys['theirs']}/logs", f"/sessions/{nowhere}/logs"),
        (f"/sessions/{keys['theirs']}/logs.zip", f"/sessions/{nowhere}/logs.zip"),
        (f"/exports/{exported.headers['syncwatch-export-id']}", f"/exports/{identity('x')}"),
    ]  # fmt: skip
    for foreign, missing in pairs:
        answers = [await client.get(f"/api/v1{path}") for path in (foreign, missing)]
        assert [answer.status_code for answer in answers] == [404, 404], foreign
        assert answers[0].content == answers[1].content
        for answer in answers:
            del answer.headers["x-request-id"]  # by chance, so it tells nothing
        assert answers[0].headers == answers[1].headers


async def test_c32_an_export_is_nothing_to_a_key_of_the_same_name_elsewhere(
    service: Service, keys: dict[str, str]
) -> None:
    mine = await service.as_key("organization_admin", organization_id(A), "reports")
    theirs = await service.as_key("organization_admin", organization_id(B), "reports")
    exported = await theirs.get("/api/v1/sessions.csv")
    record = f"/api/v1/exports/{exported.headers['syncwatch-export-id']}"
    assert (await theirs.get(record)).status_code == 200
    assert [(await mine.request(method, record)).status_code for method in ("GET", "DELETE")] == [404, 404]


async def test_s22_the_audit_tells_two_keys_of_one_name_apart(service: Service, keys: dict[str, str]) -> None:
    for _ in range(2):
        key = await service.as_key("organization_admin", organization_id(A), "reports")
        assert (await key.get("/api/v1/sessions.csv")).status_code == 200
    async with service.database.connect() as connection:
        listed = {str(row["key_id"]) for row in await connection.fetch("SELECT key_id FROM api_key")}
        actors = [row["actor"] for row in await connection.fetch("SELECT actor FROM audit_event")]
    assert sorted(actors) == sorted(f"key reports ({key_id})" for key_id in listed)


async def test_c32_a_page_of_another_organization_is_as_little_there_as_one_of_none(
    service: Service, keys: dict[str, str]
) -> None:
    client = await service.as_person("organization_admin", organization_id(A))
    theirs = (f"/organizations/{organization_id(B)}", f"/users/{organization_id(B)}/{user_id(B, 1)}")
    nowhere = (f"/organizations/{identity('x')}", f"/users/{organization_id(A)}/{identity('x')}")
    sessions = (f"/sessions/{keys['theirs']}", f"/sessions/{session_key(service.clock, identity('nowhere'))}")
    tabs = ("", "/statistics", "/issues", "/logs", "?counts=status", "/statistics?counts=status")
    pairs = [
        *((theirs[0] + tab, nowhere[0] + tab) for tab in tabs),
        *((theirs[1] + tab, nowhere[1] + tab) for tab in ("", "/issues", "/logs", "?counts=status")),
        *((sessions[0] + part, sessions[1] + part) for part in ("", "/exception", "/log")),
    ]
    for foreign, missing in pairs:
        answers = [await client.get(path) for path in (foreign, missing)]
        assert [answer.status_code for answer in answers] == [404, 404], foreign
        said = [answer.text.replace(answer.headers["x-request-id"], "") for answer in answers]
        asked = [path.partition("?")[0] for path in (foreign, missing)]  # to which the page's own forms lead back
        assert said[0].replace(asked[0], "") == said[1].replace(asked[1], ""), foreign


async def test_c32_neighbours_counts_and_search_stay_in_the_organization(
    service: Service, keys: dict[str, str]
) -> None:
    client = await service.as_key("organization_admin", organization_id(A))
    key: str | None = keys["mine"]
    while key is not None:
        body = (await client.get(f"/api/v1/sessions/{key}")).json()
        assert body["organization"]["organization_id"] == str(organization_id(A))
        key = body["next_key"]
    found = (await client.get(f"/api/v1/search?q={THEIRS}")).json()
    assert (found["organizations"], found["users"], found["more"]) == ([], [], False)
    totals = (await client.get("/api/v1/overview")).json()
    assert sum(totals["organizations"].values()) == 1
    whole = (await client.get("/api/v1/sessions")).json()["total"]
    assert whole == (await client.get(f"/api/v1/organizations/{organization_id(A)}/sessions")).json()["total"]


async def test_r52_an_end_user_sees_its_own_page_and_nothing_else(service: Service, keys: dict[str, str]) -> None:
    me, other = user_id(A, 1), user_id(A, 0)
    client = await service.as_person("end_user", organization_id(A), me)
    for path in ("", "/sessions", "/issues", "/sessions.csv", "/logs.zip"):
        assert (await client.get(f"/api/v1/users/{organization_id(A)}/{me}{path}")).status_code == 200, path
        assert (await client.get(f"/api/v1/users/{organization_id(A)}/{other}{path}")).status_code == 404, path
    own = (await client.get(f"/api/v1/users/{organization_id(A)}/{me}/sessions")).json()["rows"][0]["key"]
    assert (await client.get(f"/api/v1/sessions/{own}/logs")).status_code == 200
    admin = await service.as_key("organization_admin", organization_id(A))
    colleague = (await admin.get(f"/api/v1/users/{organization_id(A)}/{other}/sessions")).json()["rows"][0]["key"]
    for path in ("", "/logs", "/issues", "/logs.zip"):
        assert (await client.get(f"/api/v1/sessions/{colleague}{path}")).status_code == 404
    for path in ("/overview", "/organizations", "/users", "/sessions", "/issues", "/search?q=a", "/users.csv"):
        assert (await client.get(f"/api/v1{path}")).status_code == 403, path


async def test_s2_every_route_asks_who_it_is(service: Service, keys: dict[str, str]) -> None:
    expired, revoked = await service.key("support"), await service.key("support")
    async with service.database.connect() as connection:
        for column, key in (("expires_at", expired), ("revoked_at", revoked)):
            digest = hash_of(key, KEY_PREFIX)
            await connection.execute(f"UPDATE api_key SET {column} = $2 WHERE key_hash = $1", digest, service.clock)
    clients = {
        "anonymous": service.client(),
        "expired": service.client(authorization=f"Bearer {expired}"),
        "revoked": service.client(authorization=f"Bearer {revoked}"),
        "nonsense": service.client(authorization="Bearer swk_nonsense"),
    }
    open_paths = re.compile(r"^/(sign-in|static)|^/api/v1/openapi\.json$")
    for who, client in clients.items():
        for method, path in addresses(
            service, organization_id(A), user_id(A, 1), keys["mine"], str(identity("export"))
        ):
            answer = await client.request(method, path)
            if open_paths.match(path):
                continue
            if path.startswith("/api/"):
                assert answer.status_code == 401, (who, method, path)
                assert answer.headers["content-type"] == "application/problem+json"
            else:
                assert answer.status_code in (303, 401), (who, method, path)
                assert MINE not in texts_of(answer)


@pytest.mark.parametrize("role", ["organization_admin", "support", "platform_admin"])
async def test_s2_every_role_of_the_staff_reads_every_list(service: Service, keys: dict[str, str], role: str) -> None:
    client = await service.as_key(role, organization_id(A) if role == "organization_admin" else None)
    for method, path in addresses(service, organization_id(A), user_id(A, 1), keys["mine"], str(identity("export"))):
        if path.startswith("/api/v1/") and method == "GET" and "/exports/" not in path:
            assert (await client.get(path)).status_code == 200, path


@pytest.mark.parametrize("name", ["token", "access_token", "API_KEY"])
async def test_s8_a_credential_in_a_url_is_refused(service: Service, keys: dict[str, str], name: str) -> None:
    key = await service.key("platform_admin")
    for client in (service.client(), service.client(authorization=f"Bearer {key}")):
        answer = await client.get(f"/api/v1/organizations?{name}={key}")
        assert answer.status_code == 401
        assert key not in answer.text


async def test_s4_row_level_security_alone_holds(service: Service, keys: dict[str, str]) -> None:
    """Every table read without any WHERE as the reader sees one organization, and nothing where none is set."""
    async with service.database.connect("reader") as connection:
        tables = (
            "organization", "sync_user", "user_status", "sync_session", "session_text", "sync_issue", "issue_sighting",
            "log_chunk", "session_hour", "agent",
        )  # fmt: skip
        for table in tables:
            assert await connection.fetch(f"SELECT * FROM {table}") == [], table
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.org', $1, true)", str(organization_id(A)))
                rows = await connection.fetch(f"SELECT * FROM {table}")
                assert rows, table
                assert {row["organization_id"] for row in rows} == {organization_id(A)}


async def test_s5_a_connection_goes_back_seeing_nothing(service: Service, keys: dict[str, str]) -> None:
    client = await service.as_key("organization_admin", organization_id(A))
    for path in ("/users", "/sessions?sort=nope", "/sessions/nonsense", "/sessions.csv"):
        await client.get(f"/api/v1{path}")
    for pool in (service.services.pools.lists, service.services.pools.exports):
        for _ in range(pool.get_size() + 1):
            async with pool.acquire() as connection:
                assert await connection.fetchval("SELECT NULLIF(current_setting('app.org', true), '')") is None


async def test_s1_no_metric_and_no_log_holds_a_name(
    service: Service, keys: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    client = await service.as_key("platform_admin")
    with caplog.at_level("DEBUG"):
        for path in (
            "/users",
            f"/users?user={MINE}",
            f"/search?q={MINE}",
            "/sessions.csv",
            f"/sessions/{keys['mine']}",
        ):
            await client.get(f"/api/v1{path}")
    logged = " ".join(str(record.__dict__) for record in caplog.records if record.name.startswith("services"))
    assert "answered" in logged
    assert MINE not in logged
    assert MINE not in generate_latest(REGISTRY).decode()
