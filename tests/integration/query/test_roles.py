"""The second wall: roles that own nothing and bypass nothing, row-level security forced on every tenant table."""

from __future__ import annotations

from typing import Any

from tests.rig.databases import ROLES, Database

TENANT = {
    "organization", "sync_user", "user_status", "organization_status", "sync_session", "session_text", "issue_sighting",
    "log_chunk", "sync_issue", "session_hour", "status_change", "agent", "audit_event", "rejected_event",
    "recompute_queue",
}  # fmt: skip
SECRETS = ("account", "sign_in_link", "web_session", "api_key", "agent_token")


async def ask(database: Database, sql: str, *bound: Any) -> list[Any]:
    async with database.connect() as connection:
        return [tuple(row) if len(row) > 1 else row[0] for row in await connection.fetch(sql, *bound)]


async def test_s3_no_role_of_ours_is_owner_superuser_or_bypasses(database: Database) -> None:
    names = [f"syncwatch_{role}" for role in ROLES]
    strong = (
        "SELECT rolname FROM pg_roles WHERE rolname = ANY($1)"
        " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)"
    )
    assert await ask(database, strong, names) == []
    owned = "SELECT relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE rolname = ANY($1)"
    assert await ask(database, owned, names) == []


async def test_s3_row_level_security_is_forced_on_every_tenant_table(database: Database) -> None:
    forced = await ask(
        database,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relrowsecurity AND relforcerowsecurity",
    )
    assert set(forced) == TENANT
    holds_tenants = await ask(
        database,
        "SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attname = 'organization_id'"
        " AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace",
    )
    assert set(holds_tenants) - TENANT == {"account", "api_key", "agent_token", "export"}


async def test_s3_readers_have_no_way_around_the_policies(database: Database) -> None:
    grants = await ask(
        database,
        "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants"
        " WHERE grantee IN ('syncwatch_reader', 'syncwatch_reader_all')",
    )
    assert {privilege for _, _, privilege in grants} == {"SELECT"}
    assert not {table for _, table, _ in grants} & set(SECRETS)
    partitions = await ask(database, "SELECT relname FROM pg_class WHERE relispartition")
    assert not {table for _, table, _ in grants} & set(partitions)
    assert (
        await ask(
            database,
            "SELECT relname FROM pg_class WHERE relkind IN ('m', 'v') AND relnamespace = 'public'::regnamespace",
        )
        == []
    )
    definers = await ask(
        database, "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    )
    assert set(definers) <= {"create_day", "drop_day"}


async def test_s21_the_panels_role_can_only_add_to_the_audit(database: Database) -> None:
    rights = await ask(
        database,
        "SELECT privilege_type FROM information_schema.role_table_grants"
        " WHERE grantee = 'syncwatch_panel' AND table_name = 'audit_event'",
    )
    assert set(rights) == {"SELECT", "INSERT"}
