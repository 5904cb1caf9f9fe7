"""Files that somebody takes slowly: how long they last, what they hold up, and what they do not."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime
from typing import Any

import pytest

from schemas.keys import session_key
from services.query.exports import sink, zips
from services.query.services import _EXPORTS
from tests.integration.query.conftest import Service, ask_raw, freed, serving
from tests.rig.databases import Database
from tests.rig.seed import Plan, add_log, seed

CHUNKS = 18
"""More than an archive asks Postgres for at once."""


async def long_log(database: Database, now: datetime) -> str:
    """Seed a session whose log hardly shrinks; return the path of its archive."""
    async with database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
        await connection.execute("DELETE FROM log_chunk")
        session = dict(await connection.fetchrow("SELECT * FROM sync_session") or {})
        noise = random.Random(7)
        await add_log(connection, session, [[{"message": noise.randbytes(90_000).hex()}] for _ in range(CHUNKS)])
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
