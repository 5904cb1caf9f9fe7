"""What the gateway says to every kind of body, and what then is on Kafka."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import zstandard

from schemas.events import decode
from schemas.topics import topic_of
from services.ingest.gateway.app import _AT_ONCE
from tests.corpus.poison import Poison, corpus, directory, issue, log, session, text
from tests.integration.ingest.conftest import BATCH, SINGLE, Rig, counter

NOW = datetime.now(UTC)
Records = Callable[..., Any]


def array(*events: Any) -> bytes:
    return b"[" + b",".join(event if isinstance(event, bytes) else text(event) for event in events) + b"]"


async def kept(records: Records) -> list[Any]:
    return await records("syncwatch.events")


async def test_p6_every_kind_gets_its_answer_and_its_neighbours_pass(rig: Rig, records: Records) -> None:
    kinds = [kind for kind in corpus(rig.own.organization_id, NOW) if kind.http is not None]
    wrong: list[str] = []
    for kind in kinds:
        answer = await rig.post(kind.value or b"")
        if answer.status_code != kind.http:
            wrong.append(f"{kind.name}: {answer.status_code} {answer.text}")
        if kind.http != 202:
            problem = answer.json()
            assert answer.headers["content-type"] == "application/problem+json"
            assert {"type", "title", "status", "detail", "instance"} <= problem.keys()
            if kind.pointer is not None:
                assert [error["pointer"] for error in problem["errors"]] == [kind.pointer], kind.name
    assert wrong == []
    stored = await kept(records)
    assert len(stored) == sum(kind.http == 202 for kind in kinds)
    for record in stored:
        decode(record.value)
    parts = [kind for kind in kinds if kind.http != 400 and is_json(kind)]
    good = [session(rig.own.organization_id, NOW) for _ in parts]
    batch = array(*(each for pair in zip(good, (kind.value for kind in parts), strict=True) for each in pair))
    assert len(batch) < 4_000_000
    answer = await rig.post(packed(batch), BATCH, Content_Encoding="gzip")
    assert answer.status_code == 207
    statuses = [result["status"] for result in answer.json()["results"]]
    assert statuses[::2] == [202] * len(parts)
    assert statuses[1::2] == [kind.http for kind in parts]


def is_json(kind: Poison) -> bool:
    try:
        json.loads(kind.value or b"")
    except (ValueError, RecursionError):
        return False
    return True


def packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (f"{BATCH}; charset=utf-8", 202),
        ("Application/CloudEvents-Batch+JSON", 202),
        ('application/cloudevents-batch+json;charset="UTF-8"', 202),
        ("application/json", 415),
        (None, 415),
        (f"{BATCH}; charset=iso-8859-1", 415),
        ("text/plain", 415),
    ],
)
async def test_c01_media_types(rig: Rig, records: Records, content_type: str | None, status: int) -> None:
    event = session(rig.own.organization_id, NOW) | {"datacontenttype": "application/json; charset=utf-8"}
    answer = await rig.post(array(event), content_type)
    assert answer.status_code == status
    single = await rig.post(text(event), content_type and content_type.replace("-batch", "").replace("-Batch", ""))
    assert single.status_code == status
    assert len(await kept(records)) == (2 if status == 202 else 0)


async def test_c01_a_byte_order_mark_is_named(rig: Rig) -> None:
    for body, content_type in ((text(session(rig.own.organization_id, NOW)), SINGLE), (b"[]", BATCH)):
        answer = await rig.post(b"\xef\xbb\xbf" + body, content_type)
        assert answer.status_code == 400
        assert "byte order mark" in answer.json()["detail"]


@pytest.mark.parametrize("where", ["data", "id", "organization_first", "organization_last"])
async def test_c02_a_member_twice_is_refused(rig: Rig, records: Records, where: str) -> None:
    own, foreign = str(rig.own.organization_id), str(rig.foreign.organization_id)
    value = text(session(rig.own.organization_id, NOW))
    match where:
        case "data":
            value = value.replace(
                b'"data":',
                b'"data": ' + json.dumps(session(rig.foreign.organization_id, NOW)["data"]).encode() + b', "data":',
            )
        case "id":
            value = value.replace(b'"id":', b'"id": "other", "id":')
        case "organization_first":
            value = value.replace(b'"organization_id":', f'"organization_id": "{foreign}", "organization_id":'.encode())
        case _:
            value = value.replace(
                f'"organization_id": "{own}"'.encode(),
                f'"organization_id": "{own}", "organization_id": "{foreign}"'.encode(),
            )
    answer = await rig.post(value)
    assert answer.status_code in {403, 422}
    assert await kept(records) == []


async def test_c02_unknown_members_are_kept_on_the_topic(rig: Rig, records: Records) -> None:
    value = text(session(rig.own.organization_id, NOW, colour="red") | {"meta": {"a": [1]}})
    assert (await rig.post(value)).status_code == 202
    [record] = await kept(records)
    assert record.value == value
    assert record.headers == (("content-type", b"application/cloudevents+json"),)


async def test_c02_an_odd_attribute_is_as_good_as_absent(rig: Rig, records: Records) -> None:
    own = rig.own.organization_id
    plain = session(own, NOW, interval_s=None)
    odd: list[dict[str, Any]] = [
        {"traceparent": None}, {"dataschema": "https://example.org/s.json"}, {"shard": 3}, {"meta": {"a": [1]}},
        {"my-Extension": "x"}, {"data": plain["data"]},
    ]  # fmt: skip
    events = [plain | attributes for attributes in odd]
    for event in events:
        assert (await rig.post(text(event))).status_code == 202
    assert sorted(record.value for record in await kept(records)) == sorted(map(text, events))
    assert {decode(text(event)) for event in events} == {decode(text(plain))}


@pytest.mark.parametrize("member", ["id", "source", "data"])
async def test_c02_what_is_needed_and_null_is_refused_with_its_place(rig: Rig, records: Records, member: str) -> None:
    event = session(rig.own.organization_id, NOW)
    without = {name: value for name, value in event.items() if name != member}
    for lame in (event | {member: None}, without):
        answer = await rig.post(text(lame))
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{member}"]
    assert await kept(records) == []


async def test_c03_data_in_base64_is_data_and_as_text_is_not(rig: Rig, records: Records) -> None:
    own = rig.own.organization_id
    event = session(own, NOW)
    inner = json.dumps(event["data"])
    bare = {name: value for name, value in event.items() if name != "data"}

    def coded(data: str) -> dict[str, Any]:
        return bare | {"data_base64": base64.b64encode(data.encode()).decode()}

    assert (await rig.post(text(coded(inner)))).status_code == 202
    [record] = await kept(records)
    assert decode(record.value) == decode(text(event))
    nul = json.dumps(session(own, NOW, error={"message": "a\0"})["data"])
    long = json.dumps(session(own, NOW, error={"message": "x" * 8193})["data"])
    foreign = json.dumps(session(rig.foreign.organization_id, NOW)["data"])
    for lame, status, pointer in (
        (event | {"data": inner}, 422, "/data"),
        (coded(inner) | {"data": event["data"]}, 422, "/data_base64"),
        (bare | {"data_base64": "no base64!"}, 422, "/data_base64"),
        (coded("[1]"), 422, "/data_base64"),
        (coded(nul), 422, "/data/error/message"),
        (coded(long), 422, "/data/error/message"),
        (coded(foreign), 403, "/data/organization_id"),
    ):
        answer = await rig.post(text(lame))
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer)
    assert len(await kept(records)) == 1


async def test_c04_one_bad_event_in_a_batch(rig: Rig, records: Records) -> None:
    good = [session(rig.own.organization_id, NOW) for _ in range(2)]
    lame = session(rig.own.organization_id, NOW)
    del lame["data"]["session_id"]
    foreign = session(rig.foreign.organization_id, NOW)
    before = counter("syncwatch_security_events_total", kind="foreign_organization")
    for _ in range(3):
        answer = await rig.post(array(good[0], lame, good[1], foreign), BATCH)
        assert answer.status_code == 207
        assert answer.json()["accepted"] == 2
        results = answer.json()["results"]
        assert [result["index"] for result in results] == [0, 1, 2, 3]
        assert [result["status"] for result in results] == [202, 422, 202, 403]
        assert (results[1]["pointer"], results[1]["id"]) == ("/data/session_id", lame["id"])
        assert (results[3]["pointer"], results[3]["id"]) == ("/data/organization_id", foreign["id"])
    assert counter("syncwatch_security_events_total", kind="foreign_organization") - before == 3
    stored = [decode(record.value) for record in await kept(records)]
    assert {event.id for event in stored} == {event["id"] for event in good}
    assert len(stored) == 6


async def test_c05_half_an_emoji_costs_no_other_event(rig: Rig, records: Records) -> None:
    events = [session(rig.own.organization_id, NOW) for _ in range(199)]
    lame = session(rig.own.organization_id, NOW, status="errors", error={"message": "oh \ud83d"})
    answer = await rig.post(array(*events[:100], lame, *events[100:]), BATCH)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 200})
    stored = {(event := decode(record.value)).id: event for record in await kept(records)}
    assert len(stored) == 200
    assert stored[lame["id"]].data.error.message == "oh \ufffd"


def frame(body: bytes, **parameters: Any) -> bytes:
    return zstandard.ZstdCompressor(**parameters).compress(body)


def giant_window(body: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=30)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(body) + packer.flush()


async def test_c06_compressed_bodies(rig: Rig, records: Records) -> None:
    own = rig.own.organization_id
    one, two = array(session(own, NOW)), array(session(own, NOW), session(own, NOW))
    whole = gzip.compress(two)
    bomb = gzip.compress(array(*(session(own, NOW) for _ in range(100))) + b" " * (8 * 1024 * 1024))
    crc = whole[:-8] + bytes(4) + whole[-4:]
    halves = gzip.compress(two[:40]) + gzip.compress(two[40:])
    cases: list[tuple[str, str, bytes, set[int], int]] = [
        ("too large", "gzip", bomb, {413}, 0),
        ("too large, zstd", "zstd", frame(b"[" + b" " * 9_000_000 + b"]"), {413}, 0),
        ("too large, zstd without a size", "zstd", frame(b" " * 9_000_000, write_content_size=False), {413}, 0),
        ("cut", "gzip", whole[:-20], {400}, 0),
        ("cut, zstd", "zstd", frame(two)[:-10], {400}, 0),
        ("wrong CRC", "gzip", crc, {400}, 0),
        ("two members", "gzip", halves, {202}, 2),
        ("two frames", "zstd", frame(two[:40]) + frame(two[40:]), {202}, 2),
        ("rubbish behind", "gzip", whole + b"rubbish", {400}, 0),
        ("thousands of empty members", "gzip", gzip.compress(b"") * 10_000, {400}, 0),
        ("capitals", "GZIP", gzip.compress(one), {202}, 1),
        ("x-gzip", "x-gzip", gzip.compress(one), {202}, 1),
        ("zstd", "zstd", frame(one), {202}, 1),
        ("giant window", "zstd", giant_window(one), {400, 413}, 0),
        ("plain JSON", "gzip", one, {400}, 0),
        ("plain JSON as zstd", "zstd", one, {400}, 0),
        ("identity", "identity", one, {202}, 1),
        ("br", "br", one, {415}, 0),
        ("twice", "gzip, gzip", gzip.compress(gzip.compress(one)), {415}, 0),
    ]
    expected = 0
    for name, encoding, body, statuses, stored in cases:
        answer = await rig.post(body, BATCH, Content_Encoding=encoding)
        assert answer.status_code in statuses, (name, answer.status_code, answer.text)
        expected += stored
    assert len(await kept(records)) == expected


async def test_s15_limits_of_a_body(rig: Rig, records: Records) -> None:
    own = rig.own.organization_id
    assert (await rig.post(b" " * (1024 * 1024 + 1))).status_code == 413
    small = [session(own, NOW, objects=[]) for _ in range(1001)]
    answer = await rig.post(gzip.compress(array(*small)), BATCH, Content_Encoding="gzip")
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too_many_events")
    answer = await rig.post(gzip.compress(array(*small[:1000])), BATCH, Content_Encoding="gzip")
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1000})
    assert (await rig.post(b"[]", BATCH)).json() == {"accepted": 0}
    assert (await rig.post(b"[" * 100_000, BATCH)).status_code == 413
    assert (await rig.post(b"{}", BATCH)).status_code == 422
    assert len(await kept(records)) == 1000


async def test_s15_bodies_that_wait_to_be_judged_count_as_much_as_those_that_arrive(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.gateway.body.MAX_WAITING_BYTES", 300_000)
    large = b" " * 200_000
    for _ in range(_AT_ONCE):
        await rig.gateway._slots.acquire()
    waits = asyncio.create_task(rig.post(large))
    while not rig.gateway._waiting.size:
        await asyncio.sleep(0.01)
    beyond = await rig.post(large)
    assert (beyond.status_code, beyond.json()["detail"]) == (503, "too many bodies wait at once")
    for _ in range(_AT_ONCE):
        rig.gateway._slots.release()
    assert (await waits).status_code == 400  # judged
    assert (await rig.post(large)).status_code == 400
    assert rig.gateway._waiting.size == 0


async def test_c07_bytes_are_counted_not_characters(rig: Rig) -> None:
    own = rig.own.organization_id
    fits = session(own, NOW, status="errors", error={"message": "語" * 2730 + "ab", "exception": '\tx\r\n\\"' * 10_000})
    assert (await rig.post(text(fits))).status_code == 202
    page = '<!DOCTYPE html><h1>502 Proxy Error</h1><a href="/caldav/57/">&nbsp;</a>' * 25
    assert (await rig.post(text(session(own, NOW, status="errors", error={"message": page})))).status_code == 202
    for error, pointer in (({"message": "語" * 2731}, "message"), ({"exception": "x" * 65537}, "exception")):
        answer = await rig.post(text(session(own, NOW, status="errors", error=error)))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"/data/error/{pointer}"


async def test_c08_texts_stay_on_the_topic_as_they_were_sent(rig: Rig, records: Records) -> None:
    own, words = rig.own.organization_id, "AADSTS700082: The refresh token has expired due to inactivity."
    ways = [f"{words} Trace ID: {number}" for number in range(3)]
    ways += [f"{words}\r\nTrace ID: 3&nbsp;", json.dumps({"error_description": f"{words}\r\n"}), f"{words} \ufffd"]
    error = {"source": "office365", "category": "authentication", "code": "AADSTS700082", "scope": "organization"}
    sent = [text(session(own, NOW, status="errors", error=error | {"message": said})) for said in ways]
    assert (await rig.post(array(*sent, session(own, NOW)), BATCH)).json() == {"accepted": 7}
    stored = [record.value for record in await kept(records)]
    assert set(sent) < set(stored)
    told = [decode(value).data.error for value in stored]
    assert {failure.message for failure in told if failure is not None} == set(ways)


async def test_c09_nul_in_a_text_is_refused_with_its_place(rig: Rig, records: Records) -> None:
    own = rig.own.organization_id
    line = {"at": "2026-11-12T03:10:00Z", "level": "info", "message": "ten\0found"}
    lame = {
        "/data/object_name": issue(own, NOW, object_name="Bud\0get"),
        "/data/error/message": session(own, NOW, status="errors", error={"message": "a\0"}),
        "/data/lines/0/message": log(own, NOW, lines=[line]),
        "/data/display_name": directory(own, NOW, display_name="Ann\0Lee"),
    }
    answer = await rig.post(array(*(each for event in lame.values() for each in (session(own, NOW), event))), BATCH)
    assert answer.status_code == 207
    assert [result["status"] for result in answer.json()["results"]] == [202, 422] * 4
    assert [result["pointer"] for result in answer.json()["results"][1::2]] == list(lame)
    assert len(await kept(records)) == 4


async def test_c28_what_the_contract_allows_arrives(rig: Rig, records: Records) -> None:
    own = rig.own.organization_id
    largest = next(kind.value for kind in corpus(own, NOW) if kind.name == "exactly 256 KiB")
    beyond = next(kind.value for kind in corpus(own, NOW) if kind.name == "a byte too many")
    assert largest is not None
    assert beyond is not None
    line = {"at": "2026-11-12T03:10:00Z", "level": "info", "message": "x" * 1000}
    chunks = [text(log(own, NOW, chunk_no=number, lines=[line] * 170)) for number in range(40)]
    assert 7_000_000 < sum(map(len, chunks)) < 8 * 1024 * 1024
    answer = await rig.post(gzip.compress(array(*chunks)), BATCH, Content_Encoding="gzip")
    assert (answer.status_code, answer.json()) == (202, {"accepted": 40})
    answer = await rig.post(array(largest, beyond), BATCH)
    assert [result["status"] for result in answer.json()["results"]] == [202, 413]
    assert [len(record.value) for record in await kept(records)] == [256 * 1024]
    assert len(await records("syncwatch.logs")) == 40


async def test_records_go_to_their_topic_under_their_key(rig: Rig, records: Records) -> None:
    own = rig.own.organization_id
    events = [session(own, NOW), issue(own, NOW), log(own, NOW)]
    beat = {"agent_id": "agent-1", "organization_id": str(own), "sent_at": "2026-11-12T03:10:00Z"}
    organization = {"organization_id": str(own), "kind": "organization", "revision": 1, "name": "Northwind"}
    events.append(session(own, NOW) | {"type": "syncwatch.heartbeat.v1", "data": beat})
    events.append(session(own, NOW) | {"type": "syncwatch.directory.v1", "data": organization})
    assert (await rig.post(array(*events), BATCH)).json() == {"accepted": 5}
    for short, count in (("syncwatch.events", 3), ("syncwatch.logs", 1), ("syncwatch.heartbeats", 1)):
        stored = await records(short)
        assert len(stored) == count
        for record in stored:
            event = decode(record.value)
            assert topic_of(event).name == short
            whose = getattr(event.data, "user_id", None) or own
            assert record.key.decode() == ("agent-1" if short.endswith("heartbeats") else str(whose))
