"""Ready says which of our three roles Postgres does not answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.common.health import Health
from services.query.__main__ import check
from services.query.services import Services, open_pools
from tests.integration.query.conftest import Service


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("reader_database_url", "postgres_reader"),
        ("reader_all_database_url", "postgres_reader_all"),
        ("panel_database_url", "postgres_panel"),
    ],
)
async def test_a_role_that_is_refused_is_named(service: Service, setting: str, named: str) -> None:
    health = Health("postgres_reader", "postgres_reader_all", "postgres_panel")
    await check(service.services, health)
    assert health.problems() == {}
    url = getattr(service.services.settings, setting)
    role = url.partition("//")[2].partition(":")[0]
    settings = replace(service.services.settings, **{setting: url.replace(f"//{role}:", "//nobody:")})
    pools = await open_pools(settings)
    try:
        await check(Services(settings, pools, service.services.now, service.services.secret), health)
    finally:
        await pools.close()
    assert list(health.problems()) == [named]
