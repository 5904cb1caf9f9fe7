import asyncio
import secrets
from itertools import chain

import asyncpg
import pytest

from services.common import migrate as migrate_module
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


async def test_p16_a_database_of_the_first_version_is_brought_up_to_date_and_its_workers_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *later = migrations()
    beat = "INSERT INTO agent (agent_id, heard_at, sent_at) VALUES ($1, now(), now())"
    async with database.connect() as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        with monkeypatch.context() as patch:
            patch.setattr(migrate_module, "migrations", lambda: [first])
            assert await migrate(database.owner_url) == [first.name]
        await connection.execute(beat, "before")
        assert await migrate(database.owner_url) == [migration.name for migration in later]
        await connection.execute(beat, "after")
        await connection.execute("UPDATE organization SET sessions_24h = 1")
        assert await connection.fetch("SELECT DISTINCT retired FROM agent") == [(False,)]
        assert await connection.fetchval("SELECT create_day(current_date + 40)")
        indexes = await connection.fetch("SELECT indexname FROM pg_indexes WHERE tablename ~ '^log_chunk_[0-9]{8}$'")
        assert {name.rpartition("_")[2] for (name,) in indexes} == {"pkey"}


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
