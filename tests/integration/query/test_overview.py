"""The Overview and what it leads to: each number is that of the list behind it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape

from schemas.sql import named_queries
from tests.integration.query.conftest import Service, serving
from tests.rig.databases import Database
from tests.rig.seed import Plan, organization_id, seed

LAST_DAY = named_queries("leader")["store_last_day"]


async def total(service: Service, href: str) -> int:
    """Return how many rows an address of the panel shows, exactly."""
    async with await service.as_key("support") as client:
        path = unescape(href).replace("/statistics?", "/sessions?")
        answer = await client.get(f"/api/v1{path}")
    assert answer.status_code == 200, (href, answer.text)
    body = answer.json()
    assert body["total_is_exact"]
    return int(body["total"])


async def test_errors_of_a_day_are_counted_and_listed_from_the_same_hour(database: Database, now: datetime) -> None:
    now += timedelta(minutes=40)
    first = now.replace(minute=0) - timedelta(hours=23)
    async with database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=4, sessions=160, every=timedelta(minutes=10)))
        for table in ("sync_session", "session_hour_all"):
            await connection.execute(f"UPDATE {table} SET error_source = 'unknown' WHERE error_source = 'connector'")
        await connection.execute(LAST_DAY, now)
        whole, rolling = [
            await connection.fetchval(
                "SELECT count(*) FROM sync_session WHERE started_at >= $1 AND status IN ('errors', 'timed_out')", since
            )
            for since in (first, now - timedelta(hours=24))
        ]
    assert rolling > whole > 0
    async with serving(database, lambda: now) as service, await service.as_person("support") as person:
        overview = (await person.get("/?kinds=all&tz=Asia/Kolkata")).text
        listed = (await person.get("/organizations?tz=Asia/Kolkata")).text
        cards = re.findall(r'<li><h3><a href="(\S+)">.*?<div><b>([\d,]+)</b>errors?</div>', overview)
        assert len(cards) == 4
        assert [await total(service, href) for href, _ in cards] == [int(errors) for _, errors in cards]
        assert sum(int(errors) for _, errors in cards) == whole
        columns = re.findall(r'href="(/organizations/\S+/statistics\?\S+)">([\d,]+)<', listed)
        assert len(columns) == 2
        assert [await total(service, href) for href, _ in columns] == [int(errors) for _, errors in columns]
        assert sum(int(errors) for _, errors in columns) == whole


async def test_errors_of_an_organization_are_listed_for_the_day_counted(database: Database, now: datetime) -> None:
    counted = now - timedelta(hours=2)
    async with database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=4, sessions=160, every=timedelta(minutes=10)))
        await connection.execute("UPDATE kafka_position SET applied_to = $1", counted)
        await connection.execute(LAST_DAY, counted)
    async with serving(database, lambda: now) as service, await service.as_person("support") as person:
        listed = (await person.get("/organizations?tz=UTC")).text
        ((href, errors),) = re.findall(rf'href="(/organizations/{organization_id(0)}/statistics\S+)">([\d,]+)<', listed)
        assert await total(service, href) == int(errors) > 0
