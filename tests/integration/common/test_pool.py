from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from services.common.patience import is_outage
from services.common.pool import copy_records, create_pool
from tests.rig.databases import Database
from tests.rig.relay import relayed

ROWS = [("x" * 1_000,)] * 20_000
"""More than the buffers of both sides take."""
CUT_SLEEPER = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'PgSleep'
"""


async def test_a_connection_lost_while_a_copy_waits_to_write_is_an_outage(database: Database) -> None:
    pool = await create_pool(database.owner_url, role_name="test", max_size=1)
    async with database.connect() as owner, asyncio.timeout(60):

        async def cut() -> None:
            while not await owner.fetchval(CUT_SLEEPER):
                await asyncio.sleep(0.1)

        async def copy() -> None:
            async with pool.acquire() as connection:
                # The server sleeps at the first row and reads no further, so the copy has to wait.
                await connection.execute("CREATE TEMP TABLE slow (x text CHECK (pg_sleep(60) IS NOT NULL))")
                await asyncio.gather(copy_records(connection, "slow", ROWS, ["x"]), cut())

        with pytest.raises(asyncpg.ConnectionDoesNotExistError) as raised:
            await copy()
    await assert_goes_on(pool, raised.value)


async def test_a_copy_between_the_servers_farewell_and_its_end_is_an_outage(database: Database) -> None:
    async with database.connect() as owner, relayed(database.owner_url, late_s=2) as url, asyncio.timeout(60):
        pool = await create_pool(url, role_name="test", max_size=1)

        async def copy() -> None:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("CREATE TEMP TABLE quick (x text)")
                await copy_records(connection, "quick", ROWS[:1], ["x"])
                await owner.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
                await asyncio.sleep(0.3)
                await copy_records(connection, "quick", ROWS[:1], ["x"])

        with pytest.raises(asyncpg.InterfaceError) as raised:
            await copy()
        await assert_goes_on(pool, raised.value)


async def test_a_server_that_vanishes_without_a_word_is_an_outage(database: Database) -> None:
    hushed = asyncio.Event()
    async with relayed(database.owner_url, hushed=hushed) as url, asyncio.timeout(60):
        pool = await create_pool(url, role_name="test", max_size=1, unanswered_s=0.5)
        hushed.set()
        with pytest.raises(TimeoutError) as raised:
            await pool.fetchval("SELECT 1")
        hushed.clear()
        await assert_goes_on(pool, raised.value)


async def test_a_copy_into_a_server_that_reads_no_more_is_an_outage(database: Database) -> None:
    pool = await create_pool(database.owner_url, role_name="test", max_size=1, unanswered_s=1)

    async def copy() -> None:
        async with pool.acquire() as connection:
            await connection.execute("CREATE TEMP TABLE slow (x text CHECK (pg_sleep(60) IS NOT NULL))")
            await copy_records(connection, "slow", ROWS, ["x"], unanswered_s=0.5)

    async with asyncio.timeout(60):
        with pytest.raises(asyncpg.ConnectionDoesNotExistError) as raised:
            await copy()
        await assert_goes_on(pool, raised.value)


async def assert_goes_on(pool: Any, error: BaseException) -> None:
    assert is_outage(error), error
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()
