"""One cause, one line: what many users of an organization fail for, whatever their texts say (C08)."""

from __future__ import annotations

import html
import json
import re
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from msgspec.structs import replace

from schemas.events import Failure
from tests.integration.aggregator.conftest import Stored, stored  # noqa: F401  # a fixture
from tests.integration.query.conftest import Service
from tests.rig.stream import session

EXPIRED = "AADSTS700082: The refresh token has expired due to inactivity."
USERS, FINE = 240, 60


def message(number: int) -> str:
    """Return what Office 365 says to one user: the same news with ids and times of its own, now and then odd."""
    text = f"{EXPIRED} Trace ID: {uuid4()} Correlation ID: {uuid4()} Timestamp: 2026-11-24 09:{number % 60:02}:07Z"
    if number < 10:
        return json.dumps({"error": "invalid_grant", "error_description": text.replace(". ", ".\r\n")})
    return text.replace("expired", "expir\ufffd") if number < 20 else text


async def heard(stored: Stored) -> None:  # noqa: F811
    """Apply what was appended; ticks have moved the other partitions as far."""
    await stored.apply()
    await stored.owner.execute("UPDATE kafka_position SET applied_to = (SELECT max(applied_to) FROM kafka_position)")


async def test_c08_one_revoked_consent_is_one_line_of_240_users(stored: Stored, service: Service) -> None:  # noqa: F811
    organization = uuid4()
    texts: dict[UUID, str] = {uuid4(): message(number) for number in range(USERS)}
    refused = {"source": "office365", "category": "authentication", "code": "AADSTS700082", "scope": "organization"}
    for user_id, text in texts.items():
        error = Failure(**refused, message=text)
        stored.log.append(session(uuid4(), user_id=user_id, organization_id=organization, status="errors", error=error))
    for _ in range(FINE):
        stored.log.append(session(uuid4(), user_id=uuid4(), organization_id=organization, status="finished"))
    await heard(stored)

    async with await service.as_key("organization_admin", organization) as client:
        causes = (await client.get(f"/api/v1/organizations/{organization}")).json()["causes"]
        assert [(each["source"], each["category"], each["code"], each["users"], each["grown"]) for each in causes] == [
            ("office365", "authentication", "AADSTS700082", USERS, USERS)
        ]
        assert causes[0]["since"] is not None
        exact = "status=failing&error_source=eq:office365&error_category=eq:authentication&error_code=eq:AADSTS700082"
        found = (await client.get(f"/api/v1/organizations/{organization}/users?{exact}&limit=500")).json()
        assert {UUID(row["user_id"]) for row in found["rows"]} == set(texts)
        healthy = (await client.get(f"/api/v1/organizations/{organization}/users?status=healthy")).json()
        assert healthy["total"] == FINE
    kept = await stored.rows(
        "SELECT user_id, message FROM session_text JOIN sync_session USING (started_at, session_id)"
    )
    assert {row["user_id"]: row["message"] for row in kept} == texts

    async with await service.as_person("organization_admin", organization) as person:
        page = (await person.get(f"/organizations/{organization}")).text
    assert page.count("Show the 240 users") == 1
    assert "Office 365, caused by authentication issues" in page


async def test_one_failing_user_is_no_cause_and_growth_is_of_ten_minutes(stored: Stored, service: Service) -> None:  # noqa: F811
    organization = uuid4()
    error = Failure(source="exchange", category="throttling", message="busy")
    start = stored.log.at
    for number in range(3):
        at = start + timedelta(minutes=9 * number)
        stored.log.append(
            session(uuid4(), organization_id=organization, user_id=uuid4(), status="errors", error=error), at=at
        )
        await heard(stored)
        async with await service.as_key("support") as client:
            causes = (await client.get(f"/api/v1/organizations/{organization}")).json()["causes"]
        assert [(each["users"], each["grown"]) for each in causes] == ([] if number == 0 else [(number + 1, 2)])


async def test_the_job_details_lead_to_the_very_users_they_count(stored: Stored, service: Service) -> None:  # noqa: F811
    organization = uuid4()
    full = Failure(source="crm", category="quota", message="full")
    daily, concurrent = replace(full, code="DAILY"), replace(full, code="CONCURRENT")
    unknown = Failure(message="no code, no source")
    for error in (daily, daily, daily, concurrent, concurrent, full, unknown, unknown):
        stored.log.append(session(uuid4(), user_id=uuid4(), organization_id=organization, status="errors", error=error))
    await heard(stored)
    counted = []
    async with (
        await service.as_person("organization_admin", organization) as person,
        await service.as_key("organization_admin", organization) as client,
    ):
        for row in (await client.get(f"/api/v1/organizations/{organization}/sessions")).json()["rows"]:
            page = html.unescape((await person.get(f"/sessions/{row['key']}")).text)
            found = re.search(r'<a href="(\S+)">Same cause: (\d+) users? failing', page)
            assert found is not None
            path, _, query = found[1].partition("?")
            listed = (await client.get(f"/api/v1{path}/users?{query}")).json()
            assert (listed["total"], path) == (int(found[2]), f"/organizations/{organization}")
            assert row["user_id"] in {each["user_id"] for each in listed["rows"]}
            counted.append(listed["total"])
    assert sorted(counted) == [1, 2, 2, 2, 2, 3, 3, 3]


async def test_a_cause_says_which_version_its_agent_changed_to_just_before(stored: Stored, service: Service) -> None:  # noqa: F811
    changed, side_by_side = uuid4(), uuid4()
    at = stored.log.at
    versions = {
        changed: ((90, "one", "1.4.0"), (50, "one", "1.4.0"), (20, "one", "1.5.0")),
        side_by_side: ((90, "one", "1.5.0"), (85, "two", "1.4.0"), (20, "one", "1.5.0"), (10, "two", "1.4.0")),
    }
    for organization, ran in versions.items():
        for minutes, agent, version in ran:
            begun = at - timedelta(minutes=minutes)
            stored.log.append(
                session(
                    uuid4(), organization_id=organization, user_id=uuid4(), status="finished", started_at=begun,
                    agent_version=version, agent_id=agent,
                )
            )  # fmt: skip
        for _ in range(2):
            error = Failure(source="crm", category="configuration", message="no such field")
            stored.log.append(
                session(
                    uuid4(), organization_id=organization, user_id=uuid4(), status="errors", error=error,
                    started_at=at - timedelta(minutes=5), agent_version="1.5.0", agent_id="one",
                )
            )  # fmt: skip
    await heard(stored)
    async with await service.as_key("support") as client:
        found = [
            (await client.get(f"/api/v1/organizations/{organization}")).json()["causes"][0]["changed"]
            for organization in versions
        ]
        (of_one,) = [
            cause["changed"]
            for cause in (await client.get("/api/v1/overview")).json()["causes"]
            if cause["organization_id"] == str(changed)
        ]
    began = at - timedelta(minutes=20)
    assert found[1] is None
    assert found[0] == of_one
    assert (of_one["what"], of_one["was"], of_one["became"]) == ("agent_version", "1.4.0", "1.5.0")
    assert datetime.fromisoformat(of_one["at"]) == began
    async with await service.as_person("organization_admin", changed) as person:
        page = (await person.get(f"/organizations/{changed}")).text
    assert "changed then</span> agent 1.4.0 → 1.5.0, <time" in page
