"""Who may send, what happens when the gateway cannot take events, and how slow or huge callers are cut."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from schemas.credentials import new_token
from schemas.events import decode
from services.common.health import Health
from services.ingest.gateway import server
from services.ingest.gateway.app import Gateway, build
from services.ingest.gateway.publish import Publisher
from services.ingest.gateway.quota import Quota, Rate
from services.ingest.gateway.ticks import tick
from services.ingest.gateway.tokens import Tokens
from tests.corpus.poison import issue, log, session, text
from tests.integration.ingest.conftest import BATCH, SINGLE, Rig, add_token, counter

NOW = datetime.now(UTC)


async def send(rig: Rig, token: str, event: dict[str, Any] | None = None, **options: Any) -> httpx.Response:
    body = text(event or session(rig.own.organization_id, NOW))
    head = {"Authorization": f"Bearer {token}", "Content-Type": SINGLE}
    return await rig.client.post("/v1/events", content=body, headers=head, **options)


async def test_s8_only_a_living_token_is_taken(rig: Rig, database: Any) -> None:
    own, now = rig.own.organization_id, datetime.now(UTC)
    assert (await send(rig, rig.own.token)).status_code == 202
    for token, words in (
        (await add_token(database, own, expires_at=now - timedelta(seconds=1)), "expired"),
        (await add_token(database, own, revoked_at=now), "revoked"),
        (new_token()[0], "unknown"),
        ("swa_nonsense", "unknown"),
    ):
        answer = await send(rig, token)
        assert answer.status_code == 401
        assert words in answer.json()["detail"]
        assert "www-authenticate" in answer.headers
    missing = await rig.client.post("/v1/events", content=b"{}", headers={"Content-Type": SINGLE})
    assert missing.status_code == 401


async def test_s8_a_revoked_token_ends_within_five_seconds(rig: Rig, database: Any) -> None:
    assert (await send(rig, rig.own.token)).status_code == 202
    async with database.connect() as connection:
        await connection.execute("UPDATE agent_token SET revoked_at = now()")
    revoked = time.monotonic()
    while (await send(rig, rig.own.token)).status_code == 202:
        assert time.monotonic() - revoked < 5
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("name", ["token", "access_token"])
async def test_c33_a_token_in_the_url_is_refused_and_in_no_log(
    rig: Rig, url: str, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level("DEBUG")
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{url}/v1/events?{name}={rig.own.token}", content=text(session(rig.own.organization_id, NOW)),
            headers={"Content-Type": SINGLE, "Authorization": f"Bearer {rig.own.token}"},
        )  # fmt: skip
    assert answer.status_code == 401
    assert rig.own.token not in answer.text
    assert not any(rig.own.token in record.getMessage() for record in caplog.records if record.name != "httpx")


async def test_c32_another_organization_is_403_whether_it_exists_or_not(rig: Rig, records: Callable[..., Any]) -> None:
    answers = [
        await send(rig, rig.own.token, session(organization, NOW))
        for organization in (rig.foreign.organization_id, uuid4())
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    first, second = (answer.json() for answer in answers)
    for volatile in ("instance",):
        assert first.pop(volatile) != second.pop(volatile)
    first["errors"][0].pop("id")
    second["errors"][0].pop("id")
    assert first == second
    assert await records("syncwatch.events") == []


async def test_c18_one_session_id_in_two_organizations(rig: Rig, records: Callable[..., Any]) -> None:
    """The gateway's part: each token brings events of its own organization only, whatever ids they carry."""
    own = session(rig.own.organization_id, NOW)
    for make in (session, issue, log):
        event = make(rig.foreign.organization_id, NOW, session_id=own["data"]["session_id"])
        assert (await send(rig, rig.own.token, event)).status_code == 403
        assert (await send(rig, rig.foreign.token, event)).status_code == 202
    assert (await send(rig, rig.own.token, own)).status_code == 202
    stored = [decode(record.value) for record in await records("syncwatch.events")]
    assert sorted(str(event.data.organization_id) for event in stored) == sorted(
        [str(rig.own.organization_id), *[str(rig.foreign.organization_id)] * 2]
    )


async def test_s6_ticks_and_foreign_heartbeats_are_refused(rig: Rig) -> None:
    ticking = session(rig.own.organization_id, NOW) | {
        "type": "syncwatch.tick.v1", "data": {"gateway": "x", "sent_at": "2026-11-12T03:10:00Z"}
    }  # fmt: skip
    assert (await send(rig, rig.own.token, ticking)).status_code == 422
    beat = {"agent_id": "agent-1", "sent_at": "2026-11-12T03:10:00Z"}
    shared = session(rig.own.organization_id, NOW) | {"type": "syncwatch.heartbeat.v1", "data": beat}
    assert (await send(rig, rig.own.token, shared)).status_code == 403
    other = {**beat, "agent_id": "agent-2", "organization_id": str(rig.own.organization_id)}
    beating = shared | {"source": "/agents/agent-2", "data": other}
    assert (await send(rig, rig.own.token, beating)).status_code == 403


async def test_s22_over_the_quota_is_429_with_a_time(rig: Rig) -> None:
    rig.gateway._quota = Quota(events=Rate(10, 20))
    body = b"[" + b",".join(text(session(rig.own.organization_id, NOW)) for _ in range(15)) + b"]"
    assert (await rig.post(body, BATCH)).status_code == 202
    answer = await rig.post(body, BATCH)
    assert answer.status_code == 429
    assert float(answer.headers["retry-after"]) >= 1
    foreign = {"Authorization": f"Bearer {rig.foreign.token}", "Content-Type": SINGLE}
    other = await rig.client.post(
        "/v1/events", content=text(session(rig.foreign.organization_id, NOW)), headers=foreign
    )
    assert other.status_code == 202


async def test_s22_bytes_over_the_quota_are_429_however_small_they_were_sent(rig: Rig) -> None:
    """Inflated bytes count: they are what Kafka, the workers and Postgres have to carry."""
    event = text(session(rig.own.organization_id, NOW) | {"filling": "x" * 100_000})
    body = b"[" + event + b"," + event + b"]"
    rig.gateway._quota = Quota(size=Rate(len(body) / 10, len(body) * 1.5))
    before = counter("syncwatch_over_quota_total", unit="bytes")
    packed = gzip.compress(body)
    assert len(packed) * 50 < len(body)
    assert (await rig.post(packed, BATCH, Content_Encoding="gzip")).status_code == 202
    answer = await rig.post(packed, BATCH, Content_Encoding="gzip")
    assert answer.status_code == 429
    assert answer.json()["detail"] == "this organization sends more bytes than its quota allows"
    assert 4 <= int(answer.headers["retry-after"]) <= 5
    assert counter("syncwatch_over_quota_total", unit="bytes") == before + 1
    assert (await send(rig, rig.foreign.token, session(rig.foreign.organization_id, NOW))).status_code == 202


async def test_kafka_away_is_503_within_seconds(rig: Rig) -> None:
    """A broker that does not exist: nothing was taken, the agent is told when to come again."""
    health = Health("kafka")
    publisher = Publisher("127.0.0.1:1", health)
    alive = asyncio.create_task(publisher.keep_alive())
    gateway = Gateway(
        tokens=rig.gateway._tokens, publisher=publisher, quota=Quota(), health=health, prefix="",
        now=lambda: datetime.now(UTC), publish_seconds=0.5,
    )  # fmt: skip
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=build(gateway)), base_url="http://gateway"
    ) as client:
        head = {"Authorization": f"Bearer {rig.own.token}", "Content-Type": BATCH}
        began = time.monotonic()
        good, bad = text(session(rig.own.organization_id, NOW)), b"{}"
        answers = [
            await client.post("/v1/events", content=body, headers=head)
            for body in (b"[" + good + b"]", b"[" + good + b"," + bad + b"]")
        ]
        assert time.monotonic() - began < 5
    assert answers[0].status_code == 503
    assert int(answers[0].headers["retry-after"]) > 0
    assert answers[1].status_code == 207
    assert [result["status"] for result in answers[1].json()["results"]] == [503, 422]
    assert "retry-after" in answers[1].headers
    assert "kafka" in health.problems()
    alive.cancel()
    await asyncio.gather(alive, return_exceptions=True)


async def test_postgres_away_is_503(rig: Rig) -> None:
    def broken() -> Any:
        raise ConnectionRefusedError("no Postgres here")

    rig.gateway._tokens = Tokens(broken, time.monotonic)
    answer = await send(rig, rig.own.token)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert "postgres" in rig.health.problems()


async def test_c16_a_tick_reaches_every_partition_of_the_ticked_topics(rig: Rig, records: Callable[..., Any]) -> None:
    await tick(rig.publisher, rig.prefix, "gateway-1", 7, NOW)
    for short in ("syncwatch.events", "syncwatch.logs"):
        stored = await records(short, count=12)
        assert sorted(record.partition for record in stored) == list(range(12))
        assert {decode(record.value).type for record in stored} == {"syncwatch.tick.v1"}


async def test_s15_slow_heads_are_cut(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    host, port = url.removeprefix("http://").split(":")
    for beginning in (b"", b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-Slow: "):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(beginning)
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_s15_a_body_that_trickles_is_cut(rig: Rig, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.ingest.gateway import body

    monkeypatch.setattr(body, "BODY_SECONDS", 0.3)
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {rig.own.token}\r\nContent-Type: {SINGLE}\r\n"
        "Content-Length: 1000\r\n\r\n{".encode()
    )
    async with asyncio.timeout(60):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_unknown_routes_and_methods_are_problems(rig: Rig) -> None:
    for method, path, status in (("GET", "/v1/events", 405), ("GET", "/", 404), ("POST", "/v2/events", 404)):
        answer = await rig.client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
