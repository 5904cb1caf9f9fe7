"""Files that somebody takes slowly: how long they last, what they hold up, and what they do not."""

from __future__ import annotations

import asyncio
import random
import socket
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn

from schemas.keys import session_key
from schemas.retention import LONGEST_EXPORT
from services.query.__main__ import listen
from services.query.exports import sink, zips
from services.query.services import _EXPORTS
from tests.integration.query.conftest import Service, ask_raw, freed, serving
from tests.rig.databases import Database
from tests.rig.seed import Plan, add_log, organization_id, seed

CHUNKS = 18
"""More than an archive asks Postgres for at once."""


async def long_log(database: Database, now: datetime, chunks: int = CHUNKS) -> str:
    """Seed a session whose log hardly shrinks; return the path of its archive."""
    async with database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
        await connection.execute("DELETE FROM log_chunk")
        session = dict(await connection.fetchrow("SELECT * FROM sync_session") or {})
        noise = random.Random(7)
        await add_log(connection, session, [[{"message": noise.randbytes(90_000).hex()}] for _ in range(chunks)])
    return f"/api/v1/sessions/{session_key(session['started_at'], session['session_id'])}/logs.zip"


def slowly(seconds: float, sent: list[Any]) -> Any:
    """Return a client that takes so long for each piece."""

    async def send(message: Any) -> None:
        sent.append(message)
        if message.get("body"):
            await asyncio.sleep(seconds)

    return send


async def test_q4_a_client_that_leaves_frees_its_backend_also_where_all_rows_have_come(
    service: Service, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """There is nothing left to cancel then, and asyncpg waits for that."""
    monkeypatch.setattr(sink, "PIECE", 64)
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
    begun = asyncio.Event()

    async def send(message: Any) -> None:
        if message.get("body"):
            begun.set()
            await asyncio.sleep(3600)

    async def receive() -> Any:
        await begun.wait()
        return {"type": "http.disconnect"}

    with pytest.raises(sink.Cut, match="stopped"):
        await ask_raw(service, "/api/v1/sessions.csv", "", send, receive)
    await freed(service)


@pytest.mark.parametrize("what", ["csv", "zip"])
async def test_q10_a_file_that_takes_too_long_is_cut_and_frees_its_connection(
    service: Service, now: datetime, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:  # fmt: skip
    monkeypatch.setattr(sink, "_LONGEST_S", 1.0)
    monkeypatch.setattr(sink, "PIECE", 64)
    path = await long_log(service.database, now)
    sent: list[Any] = []
    with pytest.raises(sink.Cut, match="took longer than 1 s"):
        await ask_raw(service, path if what == "zip" else "/api/v1/sessions.csv", "", slowly(0.3, sent))
    assert sent[0]["status"] == 200
    assert all(each.get("more_body", True) for each in sent), "a cut file was ended politely"
    await freed(service)
    async with service.database.connect() as connection:
        row = await connection.fetchrow("SELECT state, sha256 FROM export")
    assert (row["state"], row["sha256"]) == ("cut", None)


def test_q10_nothing_is_held_longer_than_a_record_of_it_is_believed() -> None:
    assert int(_EXPORTS["statement_timeout"].removesuffix("s")) >= sink._LONGEST_S
    assert LONGEST_EXPORT.total_seconds() > sink._LONGEST_S
    assert int(_EXPORTS["idle_in_transaction_session_timeout"].removesuffix("s")) > sink._STALLED_S + zips._AWAKE_S


async def test_an_archive_taken_slowly_is_not_ended_as_an_idle_transaction(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setitem(_EXPORTS, "idle_in_transaction_session_timeout", "1s")
    monkeypatch.setattr(zips, "_AWAKE_S", 0.2)
    path = await long_log(database, now)
    sent: list[Any] = []
    async with serving(database, lambda: now) as service:
        await ask_raw(service, path, "", slowly(0.05, sent))
    assert sent[-1]["more_body"] is False
    async with database.connect() as connection:
        assert await connection.fetchval("SELECT state FROM export") == "complete"


async def test_a_client_that_reads_evenly_is_not_taken_for_one_that_stopped(
    service: Service, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """What the kernel takes at once, some megabytes, it would take again only when a third of it is gone."""
    monkeypatch.setattr(sink, "_STALLED_S", 2.0)
    path = await long_log(service.database, now, chunks=100)
    config = uvicorn.Config(service.app, host="127.0.0.1", port=0, http="httptools", log_config=None)
    server, listening = uvicorn.Server(config), listen(config)
    serving = asyncio.create_task(server.serve([listening]))
    async with asyncio.timeout(60):
        while not server.started:
            await asyncio.sleep(0.01)
    with socket.socket() as reading:
        reading.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        reading.connect(listening.getsockname())
        reader, writer = await asyncio.open_connection(sock=reading, limit=4096)
        key = await service.key("platform_admin")
        head = f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {key}", "", ""
        writer.write("\r\n".join(head).encode())
        for _ in range(100):
            assert await reader.readexactly(3200)
            await asyncio.sleep(0.05)
        rest = b""
        while not rest.endswith(b"\r\n0\r\n\r\n"):
            more = await reader.read(65536)
            assert more, "the file was cut"
            rest = rest[-16:] + more
        writer.close()
    server.should_exit = True
    await serving


async def test_q8_of_an_organization_one_file_is_made_at_a_time(
    service: Service, client: httpx.AsyncClient, now: datetime
) -> None:  # fmt: skip
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def send(message: Any) -> None:
        begun.set()
        await go_on.wait()

    mine, other = (f"/api/v1/organizations/{organization_id(number)}" for number in (0, 1))
    making = asyncio.ensure_future(ask_raw(service, f"{mine}/sessions.csv", "", send))
    await asyncio.wait_for(begun.wait(), 60)
    for path in (f"{mine}/users.csv", f"{mine}/logs.zip"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["detail"].startswith("Another file of this organization is being made")
    for path in (f"{other}/users.csv", f"{other}/logs.zip", "/api/v1/users.csv"):
        assert (await client.get(path)).status_code == 200, path
    go_on.set()
    await making
    assert (await client.get(f"{mine}/logs.zip")).status_code == 200
    assert (await client.get(f"/api/v1/users/{organization_id(0)}/{uuid4()}/logs.zip")).status_code == 404
    assert (await client.get(f"{mine}/users.csv")).status_code == 200, "also behind one that was refused"
