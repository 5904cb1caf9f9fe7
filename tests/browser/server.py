"""The query service over the small world, for the browser tests: `python -m tests.browser.server URL`.

Makes a fresh database on the server at URL, fills it, prints one JSON line that says where everything is, and serves
until it is told to end; then the database is dropped. The moment the service takes for now stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import uvicorn

from deploy.local.ports import any_free
from services.query.app import build
from services.query.principal import link_hash
from services.query.services import Services, Settings, derived_key, open_pools
from tests.browser import world
from tests.rig import databases

NORTHWIND: Final = "Northwind Traders"
PEOPLE: Final = ("platform_admin", "support", "organization_admin", "end_user")
LAG: Final = timedelta(milliseconds=800)


async def serve(server_url: str) -> None:
    """Serve a fresh world until SIGTERM."""
    async with databases.fresh(server_url) as database:
        now = datetime.now(UTC)
        made = world.world(now)
        async with database.connect() as connection:
            await world.fill(connection, made)
            people = await sign_up(connection, made, now)
        port = any_free()
        settings = Settings(
            reader_database_url=database.reader_url, reader_all_database_url=database.reader_all_url,
            panel_database_url=database.panel_url, secret_key="browser tests", port=port,
            list_timeout_s=60, count_timeout_s=60, search_s=60,  # a starved machine is slow, and no test measures
        )  # fmt: skip
        pools = await open_pools(settings)
        services = Services(settings, pools, lambda: now + LAG, derived_key(settings.secret_key))
        config = uvicorn.Config(build(services), port=port, log_level="warning", server_header=False, lifespan="on")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        said = {"base": settings.public_url, "owner_url": database.owner_url, "people": people, "now": now.isoformat()}
        print(json.dumps(said), flush=True)
        await running


async def sign_up(connection: Any, made: world.World, now: datetime) -> dict[str, dict[str, str]]:
    """Make one account per role, signed in already (`cookie`), and with an unused link (`token`)."""
    organization_id = world.identity(NORTHWIND)
    failing = next(
        row for row in made.rows["user_status"]
        if row["organization_id"] == organization_id and row["status"] == "failing"
    )  # fmt: skip
    people = {}
    for role in PEOPLE:
        account_id, cookie, token = uuid4(), secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        organization = organization_id if role in {"organization_admin", "end_user"} else None
        user: UUID | None = failing["user_id"] if role == "end_user" else None
        await connection.execute(
            "INSERT INTO account (account_id, email, name, role, organization_id, user_id, created_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7)",
            account_id, f"{role}@syncwatch.example", "Nadia Kessler", role, organization, user, now,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO web_session (cookie_hash, account_id, created_at, seen_at) VALUES ($1, $2, $3, $3)",
            hashlib.sha256(cookie.encode()).digest(), account_id, now,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO sign_in_link (link_hash, account_id, expires_at) VALUES ($1, $2, $3)",
            link_hash(token), account_id, now + timedelta(minutes=15),
        )  # fmt: skip
        people[role] = {
            "cookie": cookie,
            "token": token,
            "organization_id": str(organization or ""),
            "user_id": str(user or ""),
        }
    return people


def main() -> None:
    """Serve until SIGTERM or SIGINT; uvicorn takes both as the end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(sys.argv[1]))


if __name__ == "__main__":
    main()
