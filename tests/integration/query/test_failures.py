"""Failures of which nothing was said: figures, cards, causes, alerts and lists count them alike."""

from __future__ import annotations

import html
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import yaml

from schemas.events import Failure
from services.aggregator.metrics import SESSIONS_ENDED, sessions_ended
from tests.integration.aggregator.conftest import Stored, stored  # noqa: F401  # a fixture
from tests.integration.query.conftest import Service
from tests.rig.stream import NOW, session

ALERTS = Path(__file__).parents[3] / "deploy" / "prometheus" / "alerts.yml"
FAILED = "SELECT status, error_source, error_category, mail_system FROM sync_session WHERE status = 'errors'"
ERRORS: tuple[Failure | None, ...] = (
    None, None, Failure(), Failure(source="exchange", message="busy"), Failure(source="exchange", message="busy"),
    Failure(source="exchange", category="throttling", code="429", message="busy"),
    Failure(source="exchange", category="throttling", code="429", message="busy"),
)  # fmt: skip


@pytest.fixture
async def organization(stored: Stored, service: Service) -> UUID:  # noqa: F811
    """One organization: each of its users fails, some without a word of why; one finished with issues."""
    made = uuid4()
    for error in ERRORS:
        stored.log.append(session(uuid4(), user_id=uuid4(), organization_id=made, status="errors", error=error))
    fine = session(uuid4(), user_id=uuid4(), organization_id=made, status="finished", error=Failure(source="gmail"))
    stored.log.append(fine)
    await stored.apply()
    await stored.owner.execute("UPDATE kafka_position SET applied_to = (SELECT max(applied_to) FROM kafka_position)")
    service.clock = NOW + timedelta(minutes=1)
    service.services.now = lambda: service.clock
    return made


async def total(client: httpx.AsyncClient, path: str) -> Any:
    """Return how many rows stand behind a link of the panel."""
    answer = await client.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()["total"]


def links(page: str, pattern: str) -> list[tuple[str, int]]:
    """Return each link of a page that the pattern finds, and the number beside it."""
    return [(html.unescape(href), int(number)) for href, number in re.findall(pattern, page)]


async def test_each_error_card_opens_as_many_sessions_as_it_counts(organization: UUID, service: Service) -> None:
    async with await service.as_person("platform_admin") as person:
        page = (await person.get("/")).text
        cards = links(page, r'<div><b><a class="plain" href="([^"]+)">(\d+)</a></b>error')
        assert sorted(number for _, number in cards) == [2, 2, 3]
        for href, number in cards:
            assert await total(person, href) == number, href


async def test_each_cause_opens_as_many_users_as_it_counts(organization: UUID, service: Service) -> None:
    async with await service.as_person("platform_admin") as person:
        for path in ("/", f"/organizations/{organization}"):
            page = (await person.get(path)).text
            bars = links(page, r'<a class="btn end" href="([^"]+)">Show the (\d+) users')
            assert sorted(number for _, number in bars)[-1] == 3, page
            for href, number in bars:
                assert await total(person, href.replace("?", "/users?")) == number, href
        for row in (await person.get("/api/v1/sessions?status=errors&columns=run,error_source")).json()["rows"]:
            job = (await person.get(f"/sessions/{row['key']}")).text
            ((href, number),) = links(job, r'<a href="([^"]+)">Same cause: (\d+) ') or [("", 0)]
            if row["error_source"] == "exchange":
                assert await total(person, href.replace("?", "/users?")) == number == 2


async def test_c29_the_link_of_a_spike_opens_the_sessions_that_it_counts(
    organization: UUID, service: Service, stored: Stored  # noqa: F811
) -> None:  # fmt: skip
    before = _counted()
    sessions_ended(Counter(tuple(row.values()) for row in await stored.rows(FAILED)))  # type: ignore[arg-type]
    spikes = {cause: number - before[cause] for cause, number in _counted().items() if number > before[cause]}
    assert spikes == {("unknown", "other"): 3, ("exchange", "other"): 2, ("exchange", "throttling"): 2}
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    templates = [rule["annotations"]["panel"] for rule in rules if rule["alert"].startswith("ErrorSpike")]
    assert len(templates) == 2
    async with await service.as_key("platform_admin") as client:
        for template in templates:
            for (source, category), number in spikes.items():
                link = template.replace("{{ $externalLabels.panel }}", "")
                link = link.replace("{{ $labels.error_source }}", source)
                link = link.replace("{{ $labels.error_category }}", category)
                assert await total(client, link) == number, link


def _counted() -> Counter[tuple[str, str]]:
    """Return sessions that ended in errors so far, by cause, as the aggregator counts them."""
    (family,) = SESSIONS_ENDED.collect()
    counted: Counter[tuple[str, str]] = Counter()
    for sample in family.samples:
        if sample.name.endswith("_total") and sample.labels["status"] == "errors":
            counted[sample.labels["error_source"], sample.labels["error_category"]] += int(sample.value)
    return counted


async def test_what_did_not_fail_has_no_source_of_its_own(organization: UUID, service: Service) -> None:
    async with await service.as_key("platform_admin") as client:
        assert await total(client, "/sessions?error_source=has:empty") == 0
        assert await total(client, "/sessions?error_category=eq:other&status=finished_with_issues") == 1
        assert await total(client, "/sessions?error_category=eq:other&error_source=eq:unknown") == 3
