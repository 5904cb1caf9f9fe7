"""What monitors the syncs: whose silence it is by the database, who may see which agent, suggestions that count."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from msgspec.structs import replace

from schemas.recent import pack, unpack
from services.query import silence
from services.query.freshness import freshness_of
from services.query.panel.words import isolated
from services.query.views.view import All
from tests.integration.query.conftest import Service
from tests.rig.seed import Plan, organization_id, seed, user_id

ALERTS = Path(__file__).parents[3] / "deploy" / "prometheus" / "alerts.yml"


async def test_silence_is_judged_as_of_and_each_number_is_that_of_its_list(service: Service, now: datetime) -> None:
    silent = f"agent-{organization_id(1)}"
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=3, users=6, sessions=4))
        await connection.execute("UPDATE kafka_position SET applied_to = $1, heard_at = $1, halted = NULL", now)
        await connection.execute(
            "UPDATE agent SET heard_at = $2 WHERE agent_id = $1", silent, now - timedelta(minutes=2)
        )
        await connection.execute(
            "UPDATE user_status SET status = 'late', status_rank = 2, agent_id = $2, due_at = $3, since = $3, "
            "reason = CASE WHEN organization_id = $1 THEN 'agent_silent' ELSE 'overdue' END "
            "WHERE organization_id IN ($1, $4)",
            organization_id(1), silent, now - timedelta(hours=3), organization_id(2),
        )  # fmt: skip
        await connection.execute(
            "UPDATE user_status SET status = 'partial', status_rank = 3, reason = 'issues_missing', since = $2 "
            "WHERE organization_id = $1",
            organization_id(0), now - timedelta(minutes=5),
        )  # fmt: skip
    async with await service.as_key("support") as client:
        told = (await client.get("/api/v1/overview")).json()["silence"]
        late = (await client.get("/api/v1/users?status=late")).json()["total"]
        mute = (await client.get("/api/v1/users?status=late&why=the%20agent%20is%20silent")).json()["total"]
    assert (told["late"]["users"], told["late"]["agent_silent"]) == (late, mute) == (12, 6)
    assert datetime.fromisoformat(told["late"]["due_at"]) == now - timedelta(hours=3)
    assert told["agents"] | {"longest": None} == {"known": 3, "silent": 1, "longest": None}
    assert told["agents"]["longest"]["agent_id"] == silent
    assert told["fresh"]["partial"] == 6
    assert told["fresh"]["late"] == 0
    assert (told["partitions"]["behind"], told["partitions"]["halted"]) == (0, 0)


async def test_c15_reports_are_incomplete_whatever_else_is_wrong_and_their_number_opens_their_list(
    service: Service, now: datetime
) -> None:
    cases = (  # status, its rank, the last session's status, how many of its issues are missing
        ("failing", 0, "errors", 3), ("partial", 3, "finished_with_issues", 1), ("partial", 3, "finished", 2),
        ("late", 2, "finished", 300), ("stuck", 1, "finished", 1), ("failing", 0, "errors", 0),
        ("stuck", 1, "running", 1), ("healthy", 5, "finished", 1), ("disabled", 6, "finished", 1),
    )  # fmt: skip
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=len(cases), sessions=4))
        await connection.execute("UPDATE user_status SET status = 'healthy', status_rank = 5")
        for number, (status, rank, last, missing) in enumerate(cases):
            row = await connection.fetchrow("SELECT * FROM user_status WHERE user_id = $1", user_id(0, number))
            recent = [
                replace(each, status=last, issues_missing=missing)
                if each.session_id == row["last_session_id"]
                else each
                for each in unpack(row["recent"])
            ]
            await connection.execute(
                "UPDATE user_status SET status = $2, status_rank = $3, last_status = $4, recent = $5, "
                "failing_since = $6 WHERE user_id = $1", user_id(0, number), status, rank, last, pack(recent), now,
            )  # fmt: skip
    async with await service.as_key("support") as client, await service.as_person("support") as person:
        told = (await client.get("/api/v1/overview")).json()["silence"]["incomplete"]
        page = (await person.get("/?tz=UTC")).text
        shown = re.search(r'href="(/users\?[^"]*report_complete[^"]*)"', page)
        assert shown is not None
        listed = (await client.get(f"/api/v1{unescape(shown[1])}&columns=user,report_complete")).json()
        everybody = (await client.get("/api/v1/users?report_complete=false")).json()["total"]
    assert (told, listed["total"], everybody) == (5, 5, 7)
    assert {row["user_id"] for row in listed["rows"]} == {str(user_id(0, number)) for number in range(5)}
    assert {row["report_complete"] for row in listed["rows"]} == {False}


async def test_an_agent_of_an_organization_is_not_silent_because_we_are_behind(service: Service, now: datetime) -> None:
    heard = now - timedelta(minutes=10)
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
        await connection.execute("UPDATE agent SET heard_at = $1", heard)
    told = []
    for as_of in (heard + timedelta(seconds=90), heard + timedelta(seconds=91)):
        async with service.database.connect() as connection:
            await connection.execute("UPDATE kafka_position SET applied_to = $1, halted = NULL", as_of)
        async with await service.as_person("support") as person:
            found = (await person.get(f"/api/v1/organizations/{organization_id(0)}")).json()
            page = (await person.get(f"/organizations/{organization_id(0)}")).text
        link = next(link for link in found["chain"] if link["name"] == "agent")
        told.append((found["agents"][0]["silent"], link["state"], "Agent silent" in page, "Agent reporting" in page))
    assert told == [(False, "passed", False, True), (True, "deciding", True, False)]


async def test_whatever_prefix_topics_have_their_partitions_are_known(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
        await connection.execute(
            "UPDATE kafka_position SET topic = 'blue.' || topic, applied_to = $1, halted = NULL", now
        )
        await connection.execute(
            "UPDATE kafka_position SET applied_to = $1 WHERE topic = 'blue.syncwatch.events' AND partition < 3",
            now - timedelta(minutes=4),
        )
        await connection.execute("UPDATE kafka_position SET halted = 'gap' WHERE partition = 5")
        await connection.execute("UPDATE user_status SET partition = 5")
    async with await service.as_person("support") as client:
        told = (await client.get("/api/v1/overview")).json()["silence"]
        page = (await client.get("/monitoring")).text
    async with service.services.reading(All()) as connection:
        fresh = await freshness_of(connection, now)
    assert (told["partitions"]["all"], told["partitions"]["behind"], told["partitions"]["halted"]) == (12, 3, 1)
    assert told["other_partitions"]["all"] == 0
    assert "What is reported of 1/12 of the users is not applied" in page
    assert "<dt>Stopped</dt><dd>1 user of 1 organization</dd>" in page
    assert fresh.counted_to == now


async def test_while_we_hear_nothing_no_agent_is_called_silent(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=2, sessions=1))
        stood_still = now - timedelta(hours=1)
        await connection.execute("UPDATE kafka_position SET applied_to = $1, heard_at = $1", stood_still)
        await connection.execute("UPDATE agent SET heard_at = $1", stood_still - timedelta(seconds=20))
    async with await service.as_key("support") as client:
        told = (await client.get("/api/v1/overview")).json()["silence"]
    assert told["agents"]["silent"] == 0
    assert told["partitions"]["behind"] == told["partitions"]["all"] > 0
    assert datetime.fromisoformat(told["partitions"]["applied_to"]) == stood_still


async def test_an_administrator_sees_the_agents_of_its_own_organization_alone(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=2, sessions=1))
    async with await service.as_person("organization_admin", organization_id(0)) as client:
        page = await client.get("/monitoring")
    assert page.status_code == 200
    assert f"agent-{organization_id(0)}" in page.text
    assert f"agent-{organization_id(1)}" not in page.text
    assert "syncwatch.events" in page.text


async def test_an_agent_out_of_use_is_silent_nowhere(service: Service, now: datetime) -> None:
    gone = f"agent-{organization_id(0)}"
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=2, sessions=1))
        await connection.execute("UPDATE kafka_position SET applied_to = $1, heard_at = $1, halted = NULL", now)
        await connection.execute(
            "UPDATE agent SET retired = true, heard_at = $2 WHERE agent_id = $1", gone, now - timedelta(minutes=2)
        )
    async with await service.as_person("support") as person:
        told = (await person.get("/api/v1/overview")).json()["silence"]["agents"]
        listed = (await person.get("/api/v1/agents")).json()["agents"]
        page = (await person.get("/monitoring")).text
        own = (await person.get(f"/organizations/{organization_id(0)}")).text
    assert told == {"known": 1, "silent": 0, "longest": None}
    assert [row["agent_id"] for row in listed] == [f"agent-{organization_id(1)}"]
    assert gone not in page
    assert gone not in own


async def test_the_api_lists_agents_and_partitions_to_whom_the_page_does(service: Service, now: datetime) -> None:
    first = f"agent-{organization_id(0)}"
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=2, sessions=1))
        await connection.execute(
            "UPDATE agent SET heard_at = $2 WHERE agent_id = $1", first, now - timedelta(minutes=2)
        )
        await connection.execute("UPDATE kafka_position SET halted = 'gap', halted_at = $1 WHERE partition = 3", now)
    async with (
        await service.as_key("support") as every, await service.as_key("organization_admin", organization_id(1)) as one,
        await service.as_person("end_user", organization_id(1), user_id(1, 0)) as user,
    ):  # fmt: skip
        agents = (await every.get("/api/v1/agents")).json()
        own = (await one.get("/api/v1/agents")).json()
        partitions = (await one.get("/api/v1/partitions")).json()
        refused = [(await user.get(f"/api/v1/{path}")).status_code for path in ("agents", "partitions")]
        misspelt = (await every.get("/api/v1/agents?silent=true")).status_code
    assert [(row["agent_id"], row["silent"]) for row in agents["agents"]] == [
        (first, True), (f"agent-{organization_id(1)}", False),
    ]  # fmt: skip
    assert [row["agent_id"] for row in own["agents"]] == [f"agent-{organization_id(1)}"]
    assert datetime.fromisoformat(agents["as_of"]) == now
    assert len(partitions["partitions"]) == 12
    assert partitions["halted"] == ["syncwatch.events/3"]
    assert [row["partition"] for row in partitions["partitions"] if row["halted"] == "gap"] == [3]
    assert (refused, misspelt) == ([403, 403], 400)


async def test_the_overview_shows_eight_kinds_of_errors_and_leads_to_all(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await connection.executemany(
            "INSERT INTO session_hour_all (hour, status, error_source, error_category, shard, sessions) "
            "VALUES ($1, 'errors', 'gmail', $2, 0, 3)",
            [(now.replace(minute=0), f"kind_{number}") for number in range(11)],
        )
    async with await service.as_person("support") as client:
        first, every = (await client.get("/")).text, (await client.get("/?kinds=all")).text
    assert (first.count("<p>kind_"), every.count("<p>kind_")) == (8, 11)
    assert "All 11 kinds" in first
    assert ">33 sessions</a>, " in first


async def test_suggestions_count_what_their_word_would_leave(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=6, sessions=3))
    async with await service.as_person("support") as client:
        for path, box in (("/users", "status"), ("/sessions", "error_source"), ("/organizations", "health")):
            counts = (await client.get(f"{path}?counts={box}&tz=UTC")).json()
            assert counts, path
            for word, number in counts.items():
                listed = (await client.get(f"/api/v1{path}", params={box: word})).json()
                assert number == f"{listed['total']:,}", (path, word)
        assert (await client.get("/users?counts=user")).json() == {}
        assert (await client.get("/users?counts=nothing")).json() == {}


async def test_an_empty_list_says_whether_the_agent_is_there(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await connection.executemany(
            "INSERT INTO organization (organization_id, name, name_key, first_seen_at) VALUES ($1, $2, $2, $3)",
            [(organization_id(0), "heard", now), (organization_id(1), "mute", now)],
        )
        await connection.execute(
            "INSERT INTO agent (agent_id, organization_id, heard_at) VALUES ('eu-03', $1, $2), ('eu-04', $1, $3)",
            organization_id(0), now - timedelta(seconds=12), now - timedelta(hours=2),
        )  # fmt: skip
    async with await service.as_person("support") as client:
        for page in ("", "/statistics", "/issues"):
            heard = (await client.get(f"/organizations/{organization_id(0)}{page}")).text
            mute = (await client.get(f"/organizations/{organization_id(1)}{page}")).text
            assert f"Its agent {isolated('eu-03')} was last heard 12 s ago." in heard, page
            assert "No agent of this organization has been heard yet." in mute, page
            told = f"syncwatch agents add NAME --organization {organization_id(1)}" in mute
            assert told == (page != "/issues"), page
            assert ("No sync session has been reported yet" in mute) == (page == "/statistics"), page
        assert "agents add" not in (await client.get(f"/organizations/{organization_id(0)}?user=nobody")).text


async def test_a_page_of_an_error_names_its_request_and_the_time(service: Service, now: datetime) -> None:
    async with await service.as_person("support") as client:
        answers = [await client.get("/nowhere?tz=Asia/Tokyo"), await client.get("/api/v1/nowhere")]
    first, second = (answer.headers["x-request-id"] for answer in answers)
    assert first != second
    told = re.sub(r"<[^>]*>", "", answers[0].text)
    assert f"{now.astimezone(ZoneInfo('Asia/Tokyo')):%H:%M:%S} +09:00 · request {first}" in told


async def test_the_monitoring_page_says_whose_data_stands_still(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=3, users=4, sessions=1))
        await connection.execute("UPDATE user_status SET partition = 7 WHERE organization_id <> $1", organization_id(2))
        await connection.execute("UPDATE user_status SET reason = 'removed' WHERE user_id = $1", user_id(0, 0))
        await connection.execute(
            "UPDATE kafka_position SET heard_at = $1 WHERE partition = 2", now - timedelta(minutes=3)
        )
    async with await service.as_person("support") as person, await service.as_person(
        "organization_admin", organization_id(0)
    ) as admin:  # fmt: skip
        before = (await person.get("/monitoring")).text
        async with service.database.connect() as connection:
            await connection.execute("UPDATE kafka_position SET halted = 'hash' WHERE partition = 7")
        after, own = (await person.get("/monitoring")).text, (await admin.get("/monitoring")).text
    assert "a worker is down or hangs" in before
    assert before.count("nobody reads it") == 1
    assert "<dt>Stopped" not in before
    assert "<dt>Stopped</dt><dd>7 users of 2 organizations</dd>" in after
    assert "What is reported of 1/12 of the users is not applied" in after
    assert "<dt>Stopped</dt><dd>3 users of 1 organization</dd>" in own


async def test_l1_the_link_of_every_alert_opens_and_what_stands_still_leads_to_monitoring(service: Service) -> None:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    links = {
        rule["alert"]: re.sub(r"{{.+?}}", "exchange", rule["annotations"]["panel"]).removeprefix("exchange")
        for group in groups for rule in group["rules"]
    }  # fmt: skip
    async with await service.as_person("support") as person:
        assert {name: (await person.get(link)).status_code for name, link in links.items()} == dict.fromkeys(links, 200)
    monitoring = {"Deaf", "PipelineBehind", "PartitionStuck", "PartitionStopped", "RecordsLost", "AgentsSilent"}
    assert {name for name, link in links.items() if link.startswith("/monitoring")} == monitoring
    assert links["AgentsSilent"] == "/monitoring?agents=silent"


async def test_the_monitoring_page_is_of_one_moment(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
    async with await service.as_person("support") as person, service.database.connect() as connection:
        async with connection.transaction():
            await connection.execute("LOCK TABLE agent")
            asked = asyncio.create_task(person.get("/monitoring"))
            while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
            await connection.execute("UPDATE kafka_position SET halted = 'hash' WHERE partition = 7")
        during, after = (await asked).text, (await person.get("/monitoring")).text
    told = "stopped: hash", "Part of the monitoring has stopped"
    assert [[each in page for each in told] for page in (during, after)] == [[False, False], [True, True]]


async def test_whom_a_stopped_partition_concerns_is_left_out_where_that_takes_too_long(
    service: Service, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=1, sessions=1))
        await connection.execute("UPDATE kafka_position SET halted = 'hash' WHERE partition = 7")
    waits = silence._SQL["stopped"].replace("FROM user_status", "FROM sync_issue, user_status")
    monkeypatch.setattr(silence, "_SQL", {**silence._SQL, "stopped": waits})
    async with (
        await service.as_person("support") as person, service.database.connect() as connection,
        connection.transaction(),
    ):  # fmt: skip
        await connection.execute("LOCK TABLE sync_issue")
        page = await person.get("/monitoring")
    assert page.status_code == 200
    assert "stopped: hash" in page.text
    assert "<dt>Stopped" not in page.text


async def test_while_we_are_behind_who_is_late_is_so_as_of_then(service: Service, now: datetime) -> None:
    late = "UPDATE user_status SET status = 'late', status_rank = 2, reason = 'overdue' WHERE user_id = $1"
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=1, users=2, sessions=1))
        await connection.execute(late, user_id(0, 0))
    paths = ("/?tz=UTC", "/users?tz=UTC", f"/users/{organization_id(0)}/{user_id(0, 0)}?tz=UTC")
    as_of = f"late, as of {now - timedelta(minutes=4):%H:%M}</span>"
    async with await service.as_person("support") as person:
        assert [as_of in (await person.get(path)).text for path in paths] == [False] * 3
        async with service.database.connect() as connection:
            await connection.execute("UPDATE kafka_position SET applied_to = $1", now - timedelta(minutes=4))
        assert [as_of in (await person.get(path)).text for path in paths] == [True] * 3
