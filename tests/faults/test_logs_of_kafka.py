"""Logs that are cut, made anew or full of poison (C09, C26, C27, C28, P13)."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.events import MAX_EVENT_BYTES, Event, encode
from schemas.sql import named_queries
from schemas.topics import EVENTS, HEARTBEATS, LOGS, key_of
from services.common.kafka import MAX_RECORD_BYTES, client_options
from tests.bench.load import partition_of
from tests.corpus.poison import corpus
from tests.faults.workers import Pipeline, Worker, until
from tests.rig.stream import issue, session

ORGANIZATION = uuid4()
ACCEPT = named_queries("positions")["accept_position"]


def ended(user_id: UUID | None = None) -> Event:
    return session(uuid4(), user_id=user_id or uuid4(), organization_id=ORGANIZATION, status="finished")


def user_of(partition: int) -> UUID:
    """Return a user whose events go to that partition."""
    while True:
        user_id = uuid4()
        if partition_of(str(user_id).encode()) == partition:
            return user_id


async def stored_sessions(pipeline: Pipeline) -> int:
    return int(await pipeline.owner.fetchval("SELECT count(*) FROM sync_session"))


async def applied(pipeline: Pipeline, sessions: int) -> None:
    async def are_there() -> bool:
        return await stored_sessions(pipeline) == sessions

    await until(are_there, f"{sessions} sessions are stored")


async def halted(pipeline: Pipeline, topic: str = EVENTS.name) -> dict[int, Any]:
    return {number: row for number, row in (await pipeline.positions(topic)).items() if row["halted"]}


async def started(pipeline: Pipeline, name: str = "one") -> Worker:
    worker = pipeline.worker(name)
    worker.start()
    await until(worker.is_ready, "the worker is ready")
    return worker


@pytest.mark.parametrize(("before", "after", "reason"), [(60, 20, "log_cut"), (20, 60, "log_made_anew")])
async def test_c26_a_topic_made_anew_halts_until_it_is_accepted(
    pipeline: Pipeline, before: int, after: int, reason: str
) -> None:
    worker = await started(pipeline)
    user_id, neighbour = user_of(3), user_of(4)
    await pipeline.send([ended(user_id) for _ in range(before)])
    await applied(pipeline, before)
    assert worker.stop() == 0
    await pipeline.make_anew(EVENTS.name)
    await pipeline.send([ended(user_id) for _ in range(after)] + [ended(neighbour) for _ in range(5)])
    worker.start()

    async def is_halted() -> dict[int, Any]:
        return await halted(pipeline)

    rows = await until(is_halted, "the partition is halted")
    assert set(rows) == {3}
    assert rows[3]["halted"] == reason
    assert rows[3]["halted_expected"] == before
    assert rows[3]["halted_found"] == (after if reason == "log_cut" else before - 1)
    await applied(pipeline, before + 5)  # the others go on
    series = f'syncwatch_partition_halted{{partition="3",topic="{pipeline.prefix}{EVENTS.name}"}}'
    await until(lambda: _is(worker, series, 1.0), "the halt is shown")
    assert await stored_sessions(pipeline) == before + 5

    assert worker.stop() == 0  # the next worker must not crash on it in turn
    worker.start()
    await until(worker.is_ready, "the worker is ready again")
    assert set(await halted(pipeline)) == {3}
    await pipeline.owner.fetch(ACCEPT, pipeline.prefix + EVENTS.name, 3, 0, True)
    await applied(pipeline, before + after + 5)
    row = (await pipeline.positions(EVENTS.name))[3]
    assert (row["epoch"], row["next_offset"], row["halted"]) == (1, after, None)
    assert worker.is_alive


async def _is(worker: Worker, series: str, value: float) -> bool:
    return await worker.metric(series) == value


@pytest.mark.parametrize("topic", [EVENTS.name, LOGS.name])
async def test_c26_p13_retention_took_what_was_not_read(pipeline: Pipeline, topic: str) -> None:
    worker = await started(pipeline)
    assert worker.stop() == 0
    for number in range(30):
        await pipeline.send_raw(topic, encode(ended()) if number != 25 else b"poison", partition=2)
    await delete_before(pipeline, topic, 2, 20)
    worker.start()
    if topic == EVENTS.name:

        async def is_halted() -> dict[int, Any]:
            return await halted(pipeline)

        row = (await until(is_halted, "the partition is halted"))[2]
        assert (row["halted"], row["halted_expected"], row["halted_found"]) == ("gap", 0, 20)
        await pipeline.owner.fetch(ACCEPT, pipeline.prefix + topic, 2, 20, False)
    await until(lambda: pipeline.is_applied(topic), "what is left is applied")
    row = (await pipeline.positions(topic))[2]
    assert (row["next_offset"], row["epoch"], row["halted"]) == (30, 0, None)
    gaps = await pipeline.rows("SELECT first_offset, end_offset, reason FROM position_gap")
    assert gaps == ([] if topic == EVENTS.name else [{"first_offset": 0, "end_offset": 20, "reason": "gap"}])
    assert [row["offset"] for row in await pipeline.rows('SELECT "offset" FROM rejected_event')] == [25]
    series = f'syncwatch_lost_records{{topic="{pipeline.prefix}{LOGS.name}"}}'
    await until(lambda: _is(worker, series, sum(gap["end_offset"] for gap in gaps)), "the leader tells of it")


async def test_p13_a_quiet_partition_whose_last_record_has_gone_goes_on(pipeline: Pipeline) -> None:
    worker = await started(pipeline)
    user_id = user_of(2)
    await pipeline.send([ended(user_id) for _ in range(10)])
    await applied(pipeline, 10)
    assert worker.stop() == 0
    await delete_before(pipeline, EVENTS.name, 2, 10)
    await pipeline.send([ended(user_id)])
    worker.start()
    await applied(pipeline, 11)
    assert await halted(pipeline) == {}


async def delete_before(pipeline: Pipeline, topic: str, partition: int, offset: int) -> None:
    """Do what retention does."""
    admin = AIOKafkaAdminClient(**client_options(pipeline.bootstrap))
    await admin.start()
    try:
        place = TopicPartition(pipeline.prefix + topic, partition)
        await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


def poison() -> list[tuple[str, bytes | None]]:
    """Return records that are no events, with the slug each is rejected by."""
    other = issue(uuid4(), user_id=uuid4(), organization_id=ORGANIZATION)
    return [
        ("empty", None),
        ("empty", b""),
        ("not_json", b"\0\0\0\0\x05" + encode(other)[:20]),
        ("not_an_object", b'"text"'),
        ("not_an_object", b"[]"),
        ("too_large", b"{" * 1_000_000),
        ("not_utf8", gzip.compress(encode(other), mtime=0)),
    ]


@pytest.mark.parametrize("topic", [EVENTS, LOGS, HEARTBEATS], ids=lambda topic: topic.name)
async def test_c27_poison_and_tombstones(pipeline: Pipeline, topic: Any) -> None:
    worker = await started(pipeline)
    sent: dict[int, tuple[str, bytes | None]] = {}
    for reason, value in poison():
        offset = await pipeline.send_raw(topic.name, value, partition=1, key=b"key")
        sent[offset] = reason, value
        await pipeline.send([ended(user_of(1))])

    async def all_rejected() -> bool:
        return len(await pipeline.rows("SELECT FROM rejected_event")) == len(sent)

    await until(all_rejected, "each is rejected")
    rows = await pipeline.rows('SELECT "offset", reason, payload, epoch, partition FROM rejected_event')
    assert {row["offset"]: (row["reason"], row["payload"]) for row in rows} == sent
    assert {(row["epoch"], row["partition"]) for row in rows} == {(0, 1)}
    await applied(pipeline, len(sent))
    assert await halted(pipeline, topic.name) == {}
    assert worker.is_alive
    assert await worker.is_ready()
    assert await worker.metric('syncwatch_events_rejected_total{reason="empty"}') == 2.0


async def test_a_partition_without_a_position_row_is_shown_and_is_read_once_it_has_one(pipeline: Pipeline) -> None:
    topic = pipeline.prefix + EVENTS.name
    await pipeline.owner.execute("DELETE FROM kafka_position WHERE topic = $1 AND partition = 3", topic)
    await pipeline.send([ended(user_of(3)) for _ in range(7)])
    worker = pipeline.worker("one")
    worker.start()

    async def says_so() -> bool:
        return (await worker.problems()).get("positions") == f"{topic}-3 has no position row"

    await until(says_so, "the worker says what it does not read")
    series = f'partition="3",topic="{topic}"'
    lag = f'kafka_consumergroup_lag{{consumergroup="{pipeline.prefix}syncwatch-aggregator",{series}}}'
    await until(lambda: _is(worker, f"syncwatch_partition_halted{{{series}}}", 1.0), "the halt is shown")
    await until(lambda: _is(worker, lag, 7.0), "the lag is shown")
    await pipeline.owner.execute("INSERT INTO kafka_position (topic, partition) VALUES ($1, 3)", topic)
    await applied(pipeline, 7)
    await until(worker.is_ready, "the worker is ready")
    await until(lambda: _is(worker, lag, 0.0), "nothing is left")
    assert await worker.metric(f"syncwatch_partition_halted{{{series}}}") == 0


async def test_c27_an_odd_key_or_many_headers_harm_no_good_event(pipeline: Pipeline) -> None:
    await started(pipeline)
    good = encode(ended())
    headers = [(f"h{number}", b"\xff") for number in range(300)]
    await pipeline.send_raw(EVENTS.name, good, partition=5, key=None)
    await pipeline.send_raw(EVENTS.name, encode(ended()), partition=5, key=b"\xff\xfe", headers=headers)
    await pipeline.send_raw(EVENTS.name, b"[]", partition=5, key=b"\xff\xfe", headers=headers)
    await applied(pipeline, 2)
    (row,) = await until(lambda: pipeline.rows("SELECT key, headers FROM rejected_event"), "the bad one is kept")
    assert row["key"] == b"\xff\xfe"
    assert [tuple(pair) for pair in msgspec.msgpack.decode(row["headers"])] == headers


async def test_c09_nul_in_a_text_is_rejected_and_its_neighbours_are_applied(pipeline: Pipeline) -> None:
    worker = await started(pipeline)
    members: dict[str, dict[str, Any]] = {
        "error": {"message": "a\0b"}, "status_detail": "a\0b",
    }  # fmt: skip
    bad: dict[int, bytes] = {}
    for name, value in members.items():
        event = json.loads(encode(ended()))
        event["data"][name] = value
        raw = json.dumps(event).encode()
        assert b"\\u0000" in raw
        bad[await pipeline.send_raw(EVENTS.name, raw, partition=0)] = raw
        await pipeline.send([ended(user_of(0))])
    await applied(pipeline, len(members))
    rows = await pipeline.rows('SELECT "offset", reason, payload FROM rejected_event')
    assert {row["offset"]: row["payload"] for row in rows} == bad
    assert {row["reason"] for row in rows} == {"nul_in_text"}
    assert await pipeline.owner.fetchval(
        "SELECT next_offset FROM kafka_position WHERE topic = $1 AND partition = 0", pipeline.prefix + EVENTS.name
    ) == 2 * len(members)
    assert "Traceback" not in worker.log


async def test_p6_every_kind_of_bad_input_is_rejected_once_and_its_neighbours_are_applied(pipeline: Pipeline) -> None:
    worker = await started(pipeline)
    sent = {}
    neighbours = 0
    kinds = corpus(ORGANIZATION, datetime.now(UTC))
    for number, kind in enumerate(kinds):
        offset = await pipeline.send_raw(EVENTS.name, kind.value, partition=number % 12, key=b"key")
        if kind.kafka is not None:
            sent[number % 12, offset] = kind.kafka, kind.value
        if number % 3 == 0:
            await pipeline.send([ended()])
            neighbours += 1
    await until(lambda: pipeline.is_applied(EVENTS.name), "all is applied or set aside")
    rows = await pipeline.rows('SELECT topic, epoch, partition, "offset", reason, payload FROM rejected_event')
    assert {(row["partition"], row["offset"]): (row["reason"], row["payload"]) for row in rows} == sent
    assert len(rows) == len(sent)
    assert {(row["topic"], row["epoch"]) for row in rows} == {(pipeline.prefix + EVENTS.name, 0)}
    good = await pipeline.rows("SELECT FROM sync_session WHERE status = 'finished' AND agent_id = 'agent'")
    assert len(good) >= neighbours
    assert await halted(pipeline) == {}
    assert worker.is_alive
    assert "Traceback" not in worker.log


async def test_c28_what_the_contract_allows_arrives(pipeline: Pipeline) -> None:
    assert MAX_RECORD_BYTES > MAX_EVENT_BYTES
    worker = await started(pipeline)
    user_id = user_of(6)
    full, over = padded(ended(user_id), MAX_EVENT_BYTES), padded(ended(user_id), MAX_EVENT_BYTES + 1)
    headers = [(f"h{number}", b"x" * 1_000) for number in range(20)]
    key = key_of(ended(user_id))
    await pipeline.send_raw(EVENTS.name, full, partition=6, key=key, headers=headers)
    await pipeline.send_raw(EVENTS.name, over, partition=6, key=key)
    await pipeline.send([ended(user_id)])
    await applied(pipeline, 2)
    (row,) = await pipeline.rows('SELECT "offset", reason, payload FROM rejected_event')
    assert (row["offset"], row["reason"], row["payload"]) == (1, "too_large", over)
    assert worker.is_alive


def padded(event: Event, size: int) -> bytes:
    """Return the event with an unknown attribute that makes it exactly so large."""
    raw = encode(event)[:-1] + b',"padding":""}'
    return raw[:-2] + b"x" * (size - len(raw)) + raw[-2:]


async def test_p7_one_hostile_organization_stops_nobody(pipeline: Pipeline) -> None:
    worker = await started(pipeline)
    hostile, user_id = uuid4(), user_of(7)
    long_ago = datetime.now(UTC) - timedelta(days=60)
    bad = [session(uuid4(), user_id=user_of(7), organization_id=hostile, started_at=long_ago) for _ in range(300)]
    await pipeline.send([*bad, ended(user_id)])
    await applied(pipeline, 1)
    assert await halted(pipeline) == {}
    rejected = await pipeline.rows("SELECT FROM rejected_event WHERE organization_id = $1", hostile)
    assert len(rejected) == 300
    for number in range(150):
        await pipeline.send_raw(EVENTS.name, b"garbage %d" % number, partition=7)

    async def is_halted() -> dict[int, Any]:
        return await halted(pipeline)

    rows = await until(is_halted, "the brake is pulled")
    assert {number: row["halted"] for number, row in rows.items()} == {7: "too_many_rejects"}
    assert await pipeline.owner.fetchval("SELECT count(*) FROM rejected_event") < 300 + 110
    assert worker.is_alive
