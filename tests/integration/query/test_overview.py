"""The Overview and what it leads to: each number is that of the list behind it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape

from schemas.sql import named_queries
from services.query.hours import first_hour
from tests.integration.query.conftest import Service, serving
from tests.rig.databases import Database
from tests.rig.seed import Plan, derive, insert, organization_id, seed, user_id

MANY = ("hours", "errors", "touched", "organizations", "failing now", "chain", "new")
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
        cards = re.findall(r'<div><b><a class="plain" href="(\S+)">([\d,]+)</a></b>errors?</div>', overview)
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


async def test_every_number_of_the_pages_leads_to_a_list_that_shows_it(service: Service, now: datetime) -> None:
    off = "UPDATE user_status SET status = 'disabled', status_rank = 6, reason = $1 WHERE user_id = $2"
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=3, users=14, sessions=24))
        for number, reason in enumerate(("off_authorization", "off_throttling", "off_manual", "organization_off")):
            await connection.execute(off, reason, user_id(1, number))
        await connection.execute("TRUNCATE session_hour, session_hour_all")
        await derive(connection, now)
        await connection.execute(
            "UPDATE organization SET disabled_by_error = (SELECT count(*) FROM user_status us WHERE us.reason IN "
            "('off_authorization', 'off_throttling') AND us.organization_id = organization.organization_id)"
        )
    async with await service.as_person("support") as person:
        overview = (await person.get("/?tz=UTC")).text
        organization = (await person.get(f"/organizations/{organization_id(1)}")).text
    hours = overview[overview.index('id="hours-rows"') :].partition("</tbody>")[0]
    line = overview[overview.index('id="kinds-title"') :].partition('<div class="end')[0]
    chain = organization[organization.index('<ol class="chain"') :].partition("</ol>")[0]
    links = {
        "legend": re.findall(
            r'</button><b id="total-\w+" data-live-part><a class="plain" href="(\S+)">([\d,]+)<', overview
        ),
        "hours": re.findall(r'<td class="num"[^>]*><a class="plain" href="(\S+)">([\d,]+)<', hours),
        "line": re.findall(r'<a href="(\S+)">([\d,]+) (?:session|user)', line),
        "new": re.findall(r'<a href="(\S+)">([\d,]+) new in 1 h<', overview),
        "by error": re.findall(r'<a href="(\S+)">([\d,]+) by error<', overview),
        "errors": re.findall(r'<a class="plain" href="(\S+)">([\d,]+)</a></b>errors?', overview),
        "touched": re.findall(r'<a class="plain" href="(\S+)">([\d,]+)</a></b>users?', overview),
        "organizations": re.findall(r'<a class="plain" href="(\S+)">([\d,]+) organizations?<', overview),
        "failing now": re.findall(r'<a class="plain" href="(\S+)">([\d,]+) failing for it now<', overview),
        "chain": re.findall(r'<a href="(\S+)">([\d,]+) ', chain),
        "facts": re.findall(r'<dt>Users</dt><dd><a href="(\S+)">([\d,]+)<', organization),
    }
    assert {name: len(found) for name, found in links.items() if name not in MANY} == {
        "legend": 4, "line": 2, "by error": 1, "facts": 1,
    }  # fmt: skip
    assert min(len(links[name]) for name in MANY) > 1
    assert {href.partition("?")[0] for href, _ in links["new"]} == {"/users", "/organizations"}
    for name, found in links.items():
        for href, number in found:
            path = f"{href}/users" if name == "facts" else href.replace("?", "/users?") if name == "chain" else href
            assert await total(service, path) == int(number), (name, href)


async def test_each_span_of_the_chart_has_its_totals_and_its_lists(service: Service, now: datetime) -> None:
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=3, sessions=28, every=timedelta(hours=6)))
        ended = "SELECT count(*) FROM sync_session WHERE started_at >= $1 AND status <> 'running'"
        stored = {
            hours: await connection.fetchval(ended, first_hour(now, hours)) for hours in (24, 72, 168)
        }  # fmt: skip
    assert len(set(stored.values())) == 3
    cards = set()
    async with await service.as_person("support") as person:
        for hours, bars, per in ((24, 24, "hour"), (72, 24, "3 hours"), (168, 28, "6 hours")):
            page = (await person.get(f"/?hours={hours}&kinds=all&tz=UTC")).text
            assert f">Sessions per {per}</h2>" in page
            rows = page[page.index('id="hours-rows"') :].partition("</tbody>")[0]
            assert rows.count("<tr ") == bars
            legend = re.findall(
                r'</button><b id="total-\w+" data-live-part><a class="plain" href="(\S+)">([\d,]+)<', page
            )
            assert sum(int(number) for _, number in legend) == stored[hours]
            listed = re.findall(r'<td class="num"[^>]*><a class="plain" href="(\S+)">([\d,]+)<', rows)
            whole = re.findall(r'<td class="num"><a class="plain" href="\S+">([\d,]+)<', rows)
            assert sum(map(int, whole)) == stored[hours]
            marks = re.findall(r'<a href="(\S+)">[^<]*peak ([\d,]+)', page)
            for href, number in (*legend, *listed, *marks):
                assert await total(service, href) == int(number), (hours, href)
            spans = re.search(r'<nav class="seg" aria-label="Span of the chart">(.*?)</nav>', page)
            assert spans
            assert re.findall(r'href="(\S+?)"( aria-current)?', unescape(spans[1])) == [
                (f"/?{'' if each == 24 else f'hours={each}&'}kinds=all&tz=UTC", " aria-current" * (each == hours))
                for each in (24, 72, 168)
            ]
            assert f'href="/?{"" if hours == 24 else f"hours={hours}&amp;"}tz=UTC#kinds-title"' in page
            cards.add(page[page.index('id="kinds-title"') :].partition('<div class="end')[0])
        assert len(cards) == 1, "errors by kind are always of 24 hours"
        assert "in the last 24 hours" in cards.pop()
        assert (await person.get("/?hours=48")).status_code == 400


async def test_a_part_that_takes_too_long_says_so_and_leaves_the_others(service: Service, now: datetime) -> None:
    said = "This part took too long and was stopped."
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=4, sessions=12))
    async with (
        await service.as_person("platform_admin") as person, await service.as_key("support") as program,
        await service.as_person("support") as reader, service.database.connect() as connection,
    ):  # fmt: skip
        key = (await program.get("/api/v1/sessions?status=finished_with_issues&limit=1")).json()["rows"][0]["key"]
        failed = (await program.get("/api/v1/sessions?status=errors&limit=1")).json()["rows"][0]["key"]
        async with connection.transaction():
            await connection.execute("LOCK TABLE session_hour_all, issue_sighting, agent")
            overview, job = await person.get("/"), await person.get(f"/sessions/{key}")
            refused = await program.get("/api/v1/overview")
            blind = await reader.get(f"/sessions/{key}")
            dotted = (await program.get(f"/api/v1/sessions/{failed}")).json()
        whole = await person.get("/"), await person.get(f"/sessions/{key}")
    assert (overview.status_code, job.status_code, refused.status_code) == (200, 200, 504)
    assert overview.text.count(said) == 3, "silence, hours and kinds"
    for there in ('id="tallies"', 'id="newest"', '<h2 id="hours-title">', '<h2 id="kinds-title">'):
        assert there in overview.text
    assert job.text.count(said) == 1, "the issues; the strip is left out"
    assert "a record was refused" in job.text
    assert (blind.status_code, blind.text.count(said)) == (200, 2), "without the issues' names no line is shown"
    assert "a record was refused" not in blind.text
    assert dotted["status_detail"] == "s•••••• a• b•••• 3", "and no text of the session is shown unmasked"
    assert [page.text.count(said) for page in whole] == [0, 0]


async def test_an_hour_before_the_first_session_has_no_number_and_one_behind_it_has_zero(
    service: Service, now: datetime
) -> None:
    began = (now - timedelta(hours=3)).replace(minute=0, second=0, microsecond=0)
    async with service.database.connect() as connection:
        await seed(connection, Plan(now=now, organizations=2, users=1, sessions=1))
        await connection.execute("TRUNCATE session_hour, session_hour_all")
        for table, ids in (("session_hour", {"organization_id": organization_id(0)}), ("session_hour_all", {})):
            await insert(connection, table, {**ids, "hour": began, "status": "finished", "shard": 0, "sessions": 7})
    async with await service.as_person("support") as person:
        page = (await person.get("/?tz=UTC")).text
        hours = (await person.get("/api/v1/session-hours")).json()["hours"]
        others = (await person.get(f"/api/v1/session-hours?organization={organization_id(1)}")).json()["hours"]
    assert [hour["watched"] for hour in hours] == [False] * 20 + [True] * 4
    assert not any(hour["watched"] for hour in others), "another's sessions are no news of it"
    rows = re.findall(r"<tr data-at=.*?</tr>", page[page.index('id="hours-rows"') :])
    shown = [re.findall(r'class="num"[^>]*>(?:<[^>]+>)*([^<]+)', row) for row in rows]
    assert shown[0] == ["–"] * len(shown[0])
    assert shown[20][0] == shown[20][-1] == "7"
    assert shown[-1] == ["0"] * len(shown[-1])
