import asyncio
import secrets
from itertools import chain

import asyncpg
import pytest

from services.common.migrate import CannotMigrate, migrate, migrations, pending, set_role_passwords
from services.common.pool import create_pool
from tests.rig.databases import Database


async def test_a_migrated_database_has_nothing_pending_and_migrating_again_does_nothing(database: Database) -> None:
    assert await pending(database.owner_url) == []
    assert await migrate(database.owner_url) == []


async def test_runners_that_start_together_apply_everything_once(postgres: str, database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    applied = await asyncio.gather(*(migrate(database.owner_url) for _ in range(3)))
    assert sorted(chain.from_iterable(applied)) == [migration.name for migration in migrations()]


async def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ('9999_later', 'x')")
    with pytest.raises(CannotMigrate, match="newer version"):
        await migrate(database.owner_url)


async def test_a_role_signs_in_with_the_password_that_was_set(database: Database) -> None:
    role, password = f"r_{secrets.token_hex(6)}", "it's $1 and \\ more"
    async with database.connect() as connection:
        await connection.execute(f"CREATE ROLE {role}")
        try:
            await set_role_passwords(database.owner_url, {role: password})
            signed_in = await asyncpg.connect(database.owner_url, user=role, password=password)
            assert await signed_in.fetchval("SELECT current_user") == role
            await signed_in.close()
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(database.owner_url, user=role, password="wrong")
        finally:
            await connection.execute(f"DROP ROLE {role}")


async def test_a_pools_connections_say_whose_they_are(database: Database) -> None:
    settings = {"lock_timeout": "4s"}
    async with await create_pool(database.reader_url, role_name="query-pages", server_settings=settings) as pool:
        assert await pool.fetchval("SHOW application_name") == "query-pages"
        assert await pool.fetchval("SHOW lock_timeout") == "4s"
        assert await pool.fetchval("SHOW jit") == "off"
