"""Files that somebody takes slowly: how long they last, what they hold up, and what they do not."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from services.query.exports import sink
from tests.integration.query.conftest import Service, ask_raw, freed
from tests.rig.seed import Plan, seed


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
