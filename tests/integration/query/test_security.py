"""Signing in, forged forms, headers, masked names, the audit trail."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from starlette.routing import Route

from services.query.app import build
from services.query.panel import errors
from services.query.principal import Principal, link_hash
from services.query.services import contact_link
from tests.integration.query.conftest import ACCOUNTS, Service
from tests.rig.databases import Database
from tests.rig.seed import Plan, organization_id, seed, user_id


async def actions(database: Database) -> list[str]:
    async with database.connect() as connection:
        return [row["action"] for row in await connection.fetch("SELECT action FROM audit_event ORDER BY id")]


async def link(service: Service, *, valid: timedelta = timedelta(minutes=15)) -> str:
    """Make an account with a one-time link; return the link's token."""
    token, account = secrets.token_urlsafe(32), uuid4()
    async with service.database.connect() as connection:
        bound = (account, f"{account}@example.org", "Ann", "platform_admin", None, None, service.clock)
        await connection.execute(ACCOUNTS["add_account"], *bound)
        await connection.execute(ACCOUNTS["add_link"], link_hash(token), account, service.clock + valid)
    return token


def later(service: Service, by: timedelta) -> Callable[[], datetime]:
    return lambda: service.clock + by


async def test_s10_a_link_is_used_by_posting_it_once_and_never_by_looking(service: Service) -> None:
    token = await link(service)
    async with service.client() as client:
        assert (await client.get(f"/sign-in/{token}")).status_code == 200
        assert (await client.get("/api/v1/me")).status_code == 401
        answer = await client.post(f"/sign-in/{token}")
        assert answer.headers["location"] == "/"
        cookie = answer.headers["set-cookie"].casefold()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "path=/" in cookie
        assert (await client.get("/api/v1/me")).json()["name"] == "Ann"
        assert (await client.post(f"/sign-in/{token}")).headers["location"] == "/sign-in?problem=expired"
    assert await actions(service.database) == ["sign_in"]


async def test_s10_an_expired_link_signs_nobody_in(service: Service) -> None:
    token = await link(service, valid=timedelta(seconds=-1))
    async with service.client() as client:
        assert (await client.post(f"/sign-in/{token}")).headers["location"] == "/sign-in?problem=expired"
        assert "set-cookie" not in (await client.post("/sign-in/nonsense")).headers


async def test_s10_a_sign_in_ends_idle_after_12_hours_by_sign_out_and_by_a_disabled_account(service: Service) -> None:
    client = await service.as_person("support")
    assert (await client.get("/api/v1/me")).status_code == 200
    service.services.now = later(service, timedelta(minutes=29))
    assert (await client.get("/api/v1/me")).status_code == 200
    service.services.now = later(service, timedelta(minutes=58))
    assert (await client.get("/api/v1/me")).status_code == 200, "being used kept it"
    service.services.now = later(service, timedelta(minutes=89))
    assert (await client.get("/api/v1/me")).status_code == 401
    service.services.now = later(service, timedelta())
    other = await service.as_person("support")
    async with service.database.connect() as connection:
        await connection.execute("UPDATE web_session SET seen_at = $1", service.clock + timedelta(hours=12))
        service.services.now = later(service, timedelta(hours=12, seconds=1))
        assert (await other.get("/api/v1/me")).status_code == 401
        service.services.now = later(service, timedelta())
        await connection.execute("UPDATE account SET role = 'platform_admin'")
        assert (await other.get("/api/v1/me")).json()["role"] == "platform_admin", "a change of role holds at once"
        await connection.execute("UPDATE account SET disabled_at = now()")
    assert (await other.get("/api/v1/me")).status_code == 401


async def test_s10_what_a_page_asks_by_itself_keeps_nobody_signed_in(service: Service) -> None:
    client = await service.as_person("support")
    for minutes in (10, 20, 29):
        service.services.now = later(service, timedelta(minutes=minutes))
        for path in ("/fresh", "/", "/api/v1/me"):
            assert (await client.get(path, headers={"Syncwatch-Idle": "1"})).status_code == 200
    service.services.now = later(service, timedelta(minutes=31))
    ended = await client.get("/fresh", headers={"Syncwatch-Idle": "1"})
    assert ended.headers["location"] == "/sign-in?problem=ended"
    assert (await client.get("/")).headers["location"] == "/sign-in?problem=ended", "nor does a late use bring it back"


async def token_of(service: Service, client: httpx.AsyncClient) -> str:
    """Return the form token of a signed-in client."""
    cookie = next(iter(client.cookies.jar)).value or ""
    principal = Principal(actor="", role="", cookie_hash=hashlib.sha256(cookie.encode()).digest())
    return principal.csrf(service.services.secret)


async def test_s10_signing_out_ends_it_on_the_server(service: Service) -> None:
    client = await service.as_person("support")
    kept = dict(client.cookies)
    answer = await client.post("/sign-out", data={"csrf": await token_of(service, client)})
    assert answer.status_code == 303
    async with service.client() as thief:
        thief.cookies.update(kept)
        assert (await thief.get("/api/v1/me")).status_code == 401
    assert await actions(service.database) == ["sign_out"]


async def test_s10_on_https_the_cookie_is_bound_to_its_host(service: Service) -> None:
    token = await link(service)
    service.services.settings = replace(service.services.settings, panel_url="https://sync.example")
    async with service.client() as client:
        cookie = (await client.post(f"/sign-in/{token}", headers={"host": "sync.example"})).headers["set-cookie"]
    assert cookie.startswith("__Host-syncwatch=")
    assert "secure" in cookie.casefold()
    assert "domain" not in cookie.casefold()


async def test_the_sign_in_page_leads_to_whom_one_asks_for_access(service: Service) -> None:
    async with service.client() as client:
        assert "ask the operator of this Syncwatch." in (await client.get("/sign-in")).text
        service.services.settings = replace(service.services.settings, contact=contact_link("help@sync.example"))
        page = (await client.get("/sign-in")).text
    assert '<a href="mailto:help@sync.example">request it from the operator of this Syncwatch</a>.' in page


@pytest.mark.parametrize("text", ["javascript:alert(1)", "help", "a@b?subject=x", "https://", "//sync.example"])
def test_a_contact_is_an_address_or_a_page(text: str) -> None:
    assert contact_link("https://help.example/access") == "https://help.example/access"
    with pytest.raises(ValueError, match="e-mail address"):
        contact_link(text)


def test_plain_http_beyond_this_machine_is_refused(service: Service) -> None:
    settings = service.services.settings
    assert settings.problem() is None
    assert replace(settings, panel_url="https://sync.example").problem() is None
    for url in ("http://sync.example", "http://10.0.0.3:8080"):
        assert "https" in (replace(settings, panel_url=url).problem() or "")


async def test_s11_a_change_needs_the_forms_token_and_our_own_site(service: Service) -> None:
    client = await service.as_person("support")
    own = await token_of(service, client)
    stranger = await token_of(service, await service.as_person("support"))
    for headers, data in (
        ({}, {}),
        ({}, {"csrf": stranger}),
        ({"origin": "https://evil.example"}, {"csrf": own}),
        ({"sec-fetch-site": "cross-site"}, {"csrf": own}),
        ({"content-type": "text/plain"}, {}),
        ({"host": "evil.example"}, {"csrf": own}),
    ):
        for path in ("/sign-out", "/reveal", "/hide", "/preferences"):
            assert (await client.post(path, data=data, headers=headers)).status_code == 403, (path, headers)
    assert (await client.delete(f"/api/v1/exports/{uuid4()}")).status_code == 403
    assert (await client.delete(f"/api/v1/exports/{uuid4()}", headers={"x-csrf-token": own})).status_code == 404
    saved = await client.post("/preferences", json={"theme": "dark"}, headers={"x-csrf-token": own})
    assert saved.status_code == 204
    assert (await client.get("/api/v1/me")).json()["preferences"] == {"theme": "dark"}
    wrong = await client.post("/preferences", json={"role": "platform_admin"}, headers={"x-csrf-token": own})
    assert wrong.status_code == 400
    assert await actions(service.database) == []


async def test_s22_a_body_is_read_no_further_than_its_limit(service: Service) -> None:
    client = await service.as_person("support")
    own = await token_of(service, client)
    for content_type, start in (
        ("application/x-www-form-urlencoded", f"csrf={own}&theme=dark&more=".encode()),
        ("application/json", b'{"theme": "'),
        ("multipart/form-data; boundary=b", b'--b\r\ncontent-disposition: form-data; name="csrf"\r\n\r\n'),
    ):
        read = 0

        async def body(first: bytes) -> AsyncIterator[bytes]:
            nonlocal read
            yield first
            for _ in range(1_000):
                read += 4_096
                yield b"x" * 4_096

        for headers in ({}, {"x-csrf-token": own}):
            read = 0
            said = {"content-type": content_type, **headers}
            answer = await client.post("/preferences", content=body(start), headers=said)
            if content_type == "application/json" and not headers:
                assert (answer.status_code, read) == (403, 0), "nobody whom we know sent it"
            else:
                assert (answer.status_code, read <= 20_480) == (413, True), (content_type, headers)


async def test_preferences_hold_what_a_page_can_use(service: Service) -> None:
    client = await service.as_person("support")
    own = await token_of(service, client)
    for wrong in (
        {"theme": "neon"},
        {"theme": ["dark"]},
        {"zone": "Mars/Olympus"},
        {"zone": 7},
        {"zone": "x" * 5_000},
        {"density": "roomy"},
        {"density": {"sessions": "x" * 5_000}},
        {"density": {"nonsense": "roomy"}},
        {"columns": {"sessions": ["run", "run"]}},
        {"columns": {"sessions": ["nonsense"]}},
        {"columns": {"sessions": "run"}},
        {"role": "platform_admin"},
        [],
        "dark",
    ):
        answer = await client.post("/preferences", json=wrong, headers={"x-csrf-token": own})
        assert answer.status_code == 400, wrong
        assert answer.headers["content-type"] == "application/problem+json"
        if isinstance(wrong, dict):
            assert [each["parameter"] for each in answer.json()["errors"]] == list(wrong)
    assert (await client.post("/preferences", data={"csrf": own, "theme": "neon"})).status_code == 400
    good = {"theme": "dark", "zone": "Europe/Berlin", "density": {"sessions": "roomy"}, "columns": {"users": ["user"]}}
    assert (await client.post("/preferences", json=good, headers={"x-csrf-token": own})).status_code == 204
    assert (await client.post("/preferences", data={"csrf": own, "theme": "light"})).status_code == 303
    assert (await client.get("/api/v1/me")).json()["preferences"] == good | {"theme": "light"}


async def test_a_way_back_never_leads_to_another_site(service: Service) -> None:
    client = await service.as_person("support")
    csrf = await token_of(service, client)
    for wanted, given in (
        ("/users?a=1", "/users?a=1"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil", "/"),
    ):
        answer = await client.post("/reveal", data={"csrf": csrf, "next": wanted})
        assert answer.headers["location"] == given


async def test_s12_every_answer_carries_the_headers_errors_too(service: Service) -> None:
    client = await service.as_key("platform_admin")
    paths = [route.path for route in service.app.routes if isinstance(route, Route) and "{" not in route.path]
    for path in (*paths, "/nowhere", "/api/v1/nowhere", "/api/v1/users?limit=0", "/api/v1/sessions.csv"):
        answer = await client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"


async def test_what_is_no_host_is_refused_and_names_nobody(service: Service) -> None:
    client = await service.as_key("platform_admin")
    for host in ("[::1", "[bad]:x", "a]b", "["):
        for path in ("/sign-in", "/api/v1/me", "/organizations", "/static/css/base.css"):
            answer = await client.get(path, headers={"host": host})
            assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), host
            assert "content-security-policy" in answer.headers
    assert (await client.get("/api/v1/me", headers={"host": "evil.example"})).status_code == 403


async def test_whoever_is_not_signed_in_any_more_is_told_why_and_where_to_go(service: Service) -> None:
    for cookie, way in (("", "/sign-in"), ("syncwatch=bogus", "/sign-in?problem=ended")):
        answer = await service.client(cookie=cookie).get("/organizations")
        assert (answer.status_code, answer.headers["location"]) == (303, way)
    problems = ("ended", "x", "expired")
    said = {problem: (await service.client().get(f"/sign-in?problem={problem}")).text for problem in problems}
    assert "You were signed out." in said["ended"]
    assert "This link no longer works." in said["expired"]
    assert 'role="alert"' not in said["x"]
    refused = await service.client(cookie="syncwatch=bogus").post("/density", data={"density": "compact"})
    assert refused.status_code == 401
    assert '<a class="btn primary" href="/sign-in">Sign in</a>' in refused.text
    person = await service.as_person("support")
    wrong = await person.request("DELETE", "/organizations")
    assert wrong.status_code == 405
    assert "This address takes GET, HEAD, and no DELETE." in wrong.text


async def test_an_error_page_keeps_theme_and_ways_on_and_names_what_is_allowed(service: Service) -> None:
    async with await service.as_person("support") as person:
        csrf = re.search(r'name="csrf" value="([^"]+)"', (await person.get("/")).text)
        assert csrf
        await person.post("/preferences", data={"csrf": csrf[1], "theme": "dark", "next": "/"})
        for path, said in (
            ("/?kinds=zzz", "kinds cannot be “zzz”: is not one of the allowed. Allowed: all."),
            ("/monitoring?agents=loud", "agents cannot be “loud”: is not one of the allowed. Allowed: silent."),
            ("/monitoring?x=1", "x cannot be “1”: there is no such parameter. Allowed: agents, tz."),
        ):
            page = await person.get(path)
            assert (page.status_code, said in page.text) == (400, True), path
        assert (await person.get("/find?q=%00")).status_code == 400
        nobody = f"/organizations/{uuid4()}"
        for path in ("/monitoring?tz=Nope/X", "/?tz=UTC&tz=localtime", "/sessions?tz=posix/UTC", nobody):
            page = await person.get(path)
            assert page.status_code == (404 if path == nobody else 400), path
            assert 'data-theme="dark"' in page.text
            assert '<nav class="nav" aria-label="Main"><a href="/" data-go="v">Overview</a>' in page.text
            told = re.findall(r"tz cannot be “[^”]+”: .*? is no IANA time zone. Allowed: UTC, Europe/Berlin", page.text)
            assert len(told) == (0 if path == nobody else 1), path


async def test_an_error_page_has_what_surrounds_every_page_where_the_database_answers(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    async def broken(*arguments: object) -> None:
        raise RuntimeError("secret detail")

    async def hanging(*arguments: object) -> None:
        await asyncio.sleep(60)

    def told(page: httpx.Response) -> tuple[int, int, int]:
        return page.status_code, page.text.count('id="fresh"'), page.text.count('<nav class="nav"')

    monkeypatch.setattr("services.query.panel.routes.monitoring.show", broken)
    monkeypatch.setattr(errors, "LONGEST_S", 0.5)
    service.app = build(service.services)
    async with await service.as_person("support") as person:
        csrf = re.search(r'name="csrf" value="([^"]+)"', (await person.get("/")).text)
        assert csrf
        failing = {"/nowhere": 404, f"/organizations/{uuid4()}": 404, "/?kinds=zzz": 400, "/monitoring": 500}
        for path, status in failing.items():
            page = await person.get(path)
            assert told(page) == (status, 1, 1), path
            assert "<span>as of " in page.text, path
            assert "secret detail" not in page.text
        forged = await person.post("/density", data={"density": "compact"})
        assert told(forged) == (403, 1, 1)
        assert 'name="next" value="/"' in forged.text, "what was sent is no page to come back to"
        for wrong in (broken, hanging):
            monkeypatch.setattr(errors.pages, "framed", wrong)
            for path in ("/nowhere", "/?kinds=zzz"):
                assert told(await person.get(path)) == (404 if path == "/nowhere" else 400, 0, 1), path
        pool = service.services.pools.lists_all
        async with contextlib.AsyncExitStack() as taken:
            for _ in range(pool.get_max_size()):
                await taken.enter_async_context(pool.acquire())
            monkeypatch.undo()
            for path, status in (("/users", 503), ("/nowhere", 404)):
                assert told(await person.get(path)) == (status, 0, 1), path
    assert told(await service.client().get("/nowhere")) == (404, 0, 0)
    forgotten = await service.client(cookie="syncwatch=bogus").get("/nowhere")
    assert told(forgotten) == (404, 0, 0)


async def test_a_fault_of_ours_is_a_problem_document_with_headers_and_no_detail(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    async def broken(*arguments: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("services.query.api.routes.figures.overview", broken)
    client = await service.as_key("platform_admin")
    answer = await client.get("/api/v1/overview")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret detail" not in answer.text
    assert "content-security-policy" in answer.headers


async def test_s18_names_are_masked_for_support_until_revealed_and_revealing_is_written_down(
    service: Service, now: datetime
) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=4, sessions=12))
        row = await connection.fetchrow("SELECT session_started_at, session_id FROM sync_issue LIMIT 1")
    assert row is not None
    client = await service.as_person("support")
    path = f"/api/v1/organizations/{organization_id(0)}/issues"
    masked, clear = "B••••• r•••••", "Budget review"
    assert {row["name"] for row in (await client.get(path)).json()["rows"]} == {masked}
    assert clear not in (await client.get(f"{path}.csv")).text
    assert masked in (await client.get(f"{path}.csv")).text
    assert clear not in (await client.get(f"{path}.csv?raw=1")).text
    assert (await client.get(f"{path}?name=Budget")).status_code == 400
    assert (await client.get(f"{path}?sort=name")).status_code == 400
    key = (await client.get(path)).json()["rows"][0]["session_key"]
    assert {each["object_name"] for each in (await client.get(f"/api/v1/sessions/{key}/issues")).json()["rows"]} == {
        masked
    }
    await client.post("/reveal", data={"csrf": await token_of(service, client)})
    assert {row["name"] for row in (await client.get(path)).json()["rows"]} == {clear}
    panel = await client.get(f"/organizations/{organization_id(0)}/issues")
    assert "recorded in the audit trail" in panel.text
    assert clear in (await client.get(f"{path}.csv")).text
    service.services.now = later(service, timedelta(minutes=15, seconds=1))
    assert {row["name"] for row in (await client.get(path)).json()["rows"]} == {masked}
    assert "names_revealed" in await actions(service.database)
    service.services.now = later(service, timedelta())
    for other in (
        await service.as_key("organization_admin", organization_id(0)),
        await service.as_key("platform_admin"),
    ):
        assert {row["name"] for row in (await other.get(path)).json()["rows"]} == {clear}
    assert {row["name"] for row in (await (await service.as_key("support")).get(path)).json()["rows"]} == {masked}


async def test_s18_what_was_revealed_is_hidden_again_at_once_and_that_is_written_down_once(service: Service) -> None:
    client = await service.as_person("support")
    own = {"csrf": await token_of(service, client), "next": "/issues"}

    async def masked() -> bool:
        return bool((await client.get("/api/v1/me")).json()["names_masked"])

    assert await masked()
    await client.post("/reveal", data=own)
    assert not await masked()
    assert 'action="/hide"' in (await client.get("/issues")).text
    for _ in range(2):  # the second time nothing is shown any more
        assert (await client.post("/hide", data=own)).headers["location"] == "/issues"
        assert await masked()
    assert 'action="/reveal"' in (await client.get("/issues")).text
    assert await actions(service.database) == ["names_revealed", "names_hidden"]
    admin = await service.as_person("platform_admin")
    assert (await admin.post("/hide", data={"csrf": await token_of(service, admin)})).status_code == 403


async def test_s21_exports_and_log_downloads_are_written_down_before_data_leaves(
    service: Service, now: datetime
) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=2))
    client = await service.as_key("organization_admin", organization_id(0))
    key = (await client.get("/api/v1/sessions")).json()["rows"][0]["key"]
    for path in ("sessions.csv", f"sessions/{key}/logs.zip", f"users/{organization_id(0)}/{user_id(0, 0)}/logs.zip"):
        assert (await client.get(f"/api/v1/{path}")).status_code == 200
    assert await actions(service.database) == ["export_started", "logs_downloaded", "logs_downloaded"]
    async with service.database.connect() as connection:
        records = await connection.fetch("SELECT state, organization_id FROM export")
        audited = await connection.fetch("SELECT organization_id FROM audit_event")
    assert {tuple(row) for row in records} == {("complete", organization_id(0))}
    assert {row["organization_id"] for row in audited} == {organization_id(0)}
    assert (await client.head("/api/v1/sessions.csv")).headers["content-type"].startswith("text/csv")
    assert len(await actions(service.database)) == 3, "a look at the head is no export"
