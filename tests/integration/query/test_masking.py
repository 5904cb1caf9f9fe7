"""Names of objects: an agent writes one into every text there is, and support reads it in none until it is revealed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from schemas.events import Failure, LogData, LogLine
from schemas.keys import session_key, session_of
from services.query.principal import Principal
from tests.integration.aggregator.conftest import Stored, stored  # noqa: F401  # a fixture
from tests.integration.query.conftest import Service, body, read
from tests.integration.query.routes import addresses, texts_of
from tests.rig.stream import LOGS, NOW, issue, session, through_the_wire

NAME, MASKED = "Zebra merger talks", "Z•••• m••••• t••••"
TOLD = 'Offer "Quokka" 7'
LONG = "Walrus " + "walrus " * 60
SECRETS = ("merger", "talks", "Quokka", "alrus")
STARTED = NOW - timedelta(minutes=10)


@dataclass
class Place:
    """Where the names stand: an organization, its user, and the session of both."""

    organization: UUID
    user: UUID
    key: str

    @property
    def whose(self) -> dict[str, UUID]:
        return {"organization_id": self.organization, "user_id": self.user}


@pytest.fixture
async def place(stored: Stored, service: Service) -> Place:  # noqa: F811
    """A session whose agent wrote names into its status, its error, its issues and its log."""
    made, session_id = Place(uuid4(), uuid4(), ""), uuid4()
    said = f"No access to {NAME}, {NAME!r}"
    error = Failure(source="crm", category="authorization", message=said, exception=f"Refused: {said}\n  at {LONG}")
    stored.log.append(
        session(
            session_id,
            **made.whose,
            status="errors",
            error=error,
            status_detail=f"stopped at {NAME}",
            issues_sent=3,
            log_chunks_sent=1,
        )
    )
    for number, (name, text) in enumerate(((NAME, said), ("Lunch", f"after {NAME}"), (LONG.strip(), f"of {LONG}"))):
        told = {"object_name": name, "object_id": str(number), "error_text": f"LOCKED {text}"}
        stored.log.append(issue(session_id, **made.whose, **told))
    lines = (
        LogLine(at=NOW, level="info", message="no name in it"),  # type: ignore[arg-type]
        LogLine(at=NOW, level="warning", message=f"not done: {NAME}", exception=f"Refused: {NAME}"),  # type: ignore[arg-type]
        LogLine(at=NOW, level="info", message=f"left out: {orjson.dumps(TOLD).decode()}", names=(TOLD,)),  # type: ignore[arg-type]
    )
    log = LogData(
        **made.whose, session_id=session_id, started_at=STARTED, chunk_no=0, first_line=1, final=True, lines=lines
    )
    stored.log.append(through_the_wire(log), topic=LOGS)
    await stored.apply()
    service.clock = NOW + timedelta(minutes=1)
    service.services.now = lambda: service.clock
    made.key = session_key(STARTED, session_id)
    return made


@pytest.fixture
async def support(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with await service.as_person("support") as client:
        yield client


async def post(service: Service, client: httpx.AsyncClient, path: str) -> httpx.Response:
    """Send the form of a page, with its token."""
    cookie = next(iter(client.cookies.jar)).value or ""
    principal = Principal(actor="", role="", cookie_hash=hashlib.sha256(cookie.encode()).digest())
    return await client.post(path, data={"csrf": principal.csrf(service.services.secret), "next": "/issues"})


def everything(service: Service, place: Place) -> Iterator[str]:
    """Yield every address that answers with something, lists with all of their columns and in every state."""
    listed = {
        "issues": "type,name,error_text,object_id,state", "sessions": "user,run,status,exception,status_detail",
        "users": "user,status,exception", "statistics": "user,run,exception,status_detail",
    }  # fmt: skip
    for method, path in addresses(service, place.organization, place.user, place.key, str(uuid4())):
        if method != "GET" or "static" in path:
            continue
        yield path
        for kind, columns in listed.items():
            if kind in path or path.startswith(("/organizations/", "/users/")):
                yield f"{path}?columns={columns}"
                yield f"{path}?columns={columns}&raw=1&limit=1"
        for more in ("?tail=9", "?q=not", "?text=not", "?text=not&show=all", "?state=", "?status="):
            yield path + more


async def found(service: Service, place: Place, client: httpx.AsyncClient) -> dict[str, list[str]]:
    """Return, for every address that tells one, which of the secret words it tells."""
    told = {}
    for path in everything(service, place):
        answer = await client.get(path)
        assert answer.status_code != 500, (path, answer.text)
        said = texts_of(answer)
        if words := [word for word in SECRETS if word in said]:
            told[path] = words
    return told


async def test_s18_no_route_tells_support_a_name_until_it_is_revealed_nor_after_it_is_hidden(
    service: Service, place: Place, support: httpx.AsyncClient
) -> None:  # fmt: skip
    assert await found(service, place, support) == {}
    assert await found(service, place, await service.as_key("support")) == {}
    assert (await post(service, support, "/reveal")).status_code == 303
    told = await found(service, place, support)
    session_path = f"/api/v1/sessions/{place.key}"
    for path in (
        session_path, f"{session_path}/issues", f"{session_path}/logs", f"{session_path}/logs.zip",
        f"/sessions/{place.key}", f"/sessions/{place.key}/exception", f"/sessions/{place.key}/log",
        "/api/v1/issues", "/api/v1/issues.csv", "/api/v1/sessions", "/api/v1/sessions.csv", "/api/v1/overview", "/",
        "/issues", "/sessions", f"/api/v1/users/{place.organization}/{place.user}",
        f"/users/{place.organization}/{place.user}", f"/api/v1/organizations/{place.organization}/logs.zip",
        "/api/v1/users?columns=user,status,exception", "/api/v1/users.csv?columns=user,status,exception",
    ):  # fmt: skip
        assert path in told, path
    assert (await post(service, support, "/hide")).status_code == 303
    assert await found(service, place, support) == {}
    async with service.database.connect() as connection:
        actions = [row["action"] for row in await connection.fetch("SELECT action FROM audit_event ORDER BY id")]
    assert [action for action in actions if action.startswith("names_")] == ["names_revealed", "names_hidden"]


async def test_who_administers_reads_names_everywhere(service: Service, place: Place) -> None:
    admin = await service.as_person("organization_admin", place.organization)
    told = await found(service, place, admin)
    assert {word for words in told.values() for word in words} == set(SECRETS)
    page = await admin.get(f"/sessions/{place.key}")
    assert "Names are masked" not in page.text
    assert (await post(service, admin, "/hide")).status_code == 403


async def test_s18_a_masked_text_keeps_all_but_the_name(place: Place, support: httpx.AsyncClient) -> None:
    told = await body(support, f"/sessions/{place.key}")
    said = f"No access to {MASKED}, '{MASKED}'"
    assert told["error"]["message"] == said
    assert told["exception"].startswith(f"Refused: {said}\n")
    assert told["status_detail"] == f"stopped at {MASKED}"
    issues = (await body(support, f"/sessions/{place.key}/issues"))["rows"]
    assert {each["error_text"] for each in issues if "W" not in each["error_text"]} == {
        f"LOCKED {said}", f"LOCKED after {MASKED}"
    }  # fmt: skip
    lines = (await body(support, f"/sessions/{place.key}/logs"))["lines"]
    assert [line["exception"] for line in lines] == [None, f"Refused: {MASKED}", None]
    assert [line["message"] for line in lines] == [
        "no name in it", f"not done: {MASKED}", 'left out: "O•••• \\••••••••• 7"'
    ]  # fmt: skip
    rows = (await body(support, "/issues?columns=type,name,error_text&error_text=access"))["rows"]
    assert [(row["name"], row["error_text"]) for row in rows] == [(MASKED, f"LOCKED {said}")]
    table = read((await support.get("/api/v1/issues.csv?columns=type,name,error_text")).text)
    assert {row["Error Text"] for row in table} == {
        row["error_text"] for row in (await body(support, "/issues?columns=type,name,error_text"))["rows"]
    }  # fmt: skip
    table = read((await support.get("/api/v1/sessions.csv?columns=user,run,exception,status_detail")).text)
    assert (table[0]["Status detail"], table[0]["Exception"]) == (told["status_detail"], told["exception"])


async def test_s18_the_archive_says_whether_names_are_masked_in_it(
    service: Service, place: Place, support: httpx.AsyncClient
) -> None:  # fmt: skip
    path = f"/api/v1/sessions/{place.key}/logs.zip"
    assert '"names_masked": true' in texts_of(await support.get(path))
    assert MASKED in texts_of(await support.get(path))
    await post(service, support, "/reveal")
    assert '"names_masked": false' in texts_of(await support.get(path))


async def matching(client: httpx.AsyncClient, path: str) -> Any:
    return (await body(client, path)).get("matching")


async def test_s18_nothing_is_found_by_a_name_that_is_masked(
    service: Service, place: Place, support: httpx.AsyncClient
) -> None:  # fmt: skip
    log = f"/sessions/{place.key}/logs"
    lists = {
        "/issues?state=&error_text=": ("merger", "LOCKED", 3, 2), "/sessions?exception=": ("merger", "Refused", 1, 1),
        "/sessions?status_detail=": ("talks", "stopped at", 1, 1), "/users?exception=": ("merger", "Refused", 1, 1),
    }  # fmt: skip

    async def total(path: str) -> Any:
        return (await body(support, path))["total"]

    for path, (secret, word, rows, _) in lists.items():
        assert await total(path + secret) == 0, path
        assert await total(f"{path}not:{secret}") == rows, path
        assert await total(path + word) == rows, path
        assert await total(f"{path}not:{word}") == 0, path
        assert await total(f"{path}has:empty") == 0, path
    assert await total(f"/issues?state=&error_text=eq:LOCKED after {NAME}") == 0
    for word, lines in (("merger", 0), ("Quokka", 0), ("not done", 1), ("left", 1)):
        assert await matching(support, f"{log}?q={word}") == lines, word
    assert await matching(support, f"{log}?q=done: Z•••• m") == 1, "found as it is shown"
    assert await total("/issues?state=&error_text=••") == 3
    for sort in ("/issues?sort=error_text", "/sessions?sort=status_detail"):
        assert (await support.get(f"/api/v1{sort}")).status_code == 400, sort
    await post(service, support, "/reveal")
    for path, (secret, _, _, rows) in lists.items():
        assert await total(path + secret) == rows, path
    assert await matching(support, f"{log}?q=merger") == 1
    assert (await support.get("/api/v1/issues?sort=error_text")).status_code == 200


async def test_an_empty_list_counts_by_no_masked_name_what_other_filters_hide(
    place: Place, support: httpx.AsyncClient
) -> None:
    """The page says how many rows one filter less would leave; none of the others may look behind the mask."""
    page = await support.get("/issues?error_text=merger&state=resolved")
    assert "No issues match these filters" in page.text
    assert re.findall(r"(\d+) issues? match(?:es)? without", page.text) == ["0"]


async def test_s18_a_text_for_a_ticket_names_no_object_whoever_copies_it(
    service: Service, place: Place, support: httpx.AsyncClient
) -> None:  # fmt: skip
    for client in (support, await service.as_person("platform_admin")):
        page = (await client.get(f"/sessions/{place.key}")).text
        (ticket,) = [part.partition('"')[0] for part in page.split('data-copy="Status: ')[1:]]
        assert MASKED in ticket
        assert NAME not in ticket


async def test_a_ticket_masks_the_names_that_an_earlier_attempt_told(
    stored: Stored, service: Service, place: Place  # noqa: F811
) -> None:  # fmt: skip
    address = session_of(place.key)
    assert address is not None
    again = session(address[1], **place.whose, attempt=2, status="errors", status_detail=f"gave up at {NAME}")
    stored.log.append(again)
    await stored.apply()
    page = (await (await service.as_person("platform_admin")).get(f"/sessions/{place.key}")).text
    (ticket,) = [part.partition('"')[0] for part in page.split('data-copy="Status: ')[1:]]
    assert f"gave up at {MASKED}" in ticket


async def test_s18_every_page_that_masks_names_has_the_button_that_shows_and_hides_them(
    service: Service, place: Place, support: httpx.AsyncClient
) -> None:  # fmt: skip
    pages = (
        f"/sessions/{place.key}", f"/sessions/{place.key}/log", "/issues", "/sessions", "/users?columns=user,exception",
        f"/users/{place.organization}/{place.user}", f"/organizations/{place.organization}/statistics",
    )  # fmt: skip
    for path in pages:
        page = (await support.get(path)).text
        assert "Names are masked" in page, path
        assert 'action="/reveal"' in page, path
    await post(service, support, "/reveal")
    for path in pages:
        page = (await support.get(path)).text
        assert "Names shown to you until" in page, path
        assert 'action="/hide"' in page, path
    await post(service, support, "/hide")
    assert (await body(support, "/me"))["names_masked"] is True
    await post(service, support, "/hide")
    async with service.database.connect() as connection:
        hidden = await connection.fetchval("SELECT count(*) FROM audit_event WHERE action = 'names_hidden'")
    assert hidden == 1, "nothing was shown any more the second time"
