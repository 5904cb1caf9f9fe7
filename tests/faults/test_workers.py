"""Workers that come, go and die under load: rows and counters equal a naive recount (C25, P1, P2, P5)."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from schemas.topics import EVENTS, HEADERS
from tests.bench.load import Load, Sent, events
from tests.faults.oracle import differences, expected, fingerprint
from tests.faults.workers import Pipeline, until
from tests.rig.relay import relay, relayed

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@asynccontextmanager
async def under_load(pipeline: Pipeline, *, a_second: int = 2_000) -> AsyncIterator[None]:
    """Publish sessions all the while, every twentieth event twice; stops with the block."""
    endless = itertools.chain.from_iterable(
        events(Load(events=5_000, users=400, organizations=20, at_once=200, seed=seed)) for seed in itertools.count(1)
    )

    async def publish() -> None:
        for slice_number in itertools.count():
            some = list(itertools.islice(endless, a_second // 10))
            await send_all(pipeline, some + some[:: 20 if slice_number % 2 else 7])
            await asyncio.sleep(0.1)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await pipeline.producer.flush()


async def send_all(pipeline: Pipeline, sent: list[Sent]) -> None:
    topic = pipeline.prefix + EVENTS.name
    futures = [await pipeline.producer.send(topic, each.value, key=each.key, headers=list(HEADERS)) for each in sent]
    await asyncio.gather(*futures)


async def assert_exact(pipeline: Pipeline) -> None:
    """Wait until all is applied, then compare with the recount."""
    await until(lambda: pipeline.is_applied(EVENTS.name), "everything is applied", within_s=120)
    log = await pipeline.log(EVENTS.name)
    positions = await pipeline.positions(EVENTS.name)
    assert {number: (row["next_offset"], row["halted"]) for number, row in positions.items()} == {
        number: (len(partition), None) for number, partition in log.items()
    }
    assert await pipeline.rows("SELECT * FROM rejected_event") == []
    records = [(record.timestamp, record.value) for partition in log.values() for record in partition]
    assert await differences(pipeline.owner, expected(records)) == []


async def moved(pipeline: Pipeline, by: int) -> None:
    """Wait until so many more events are applied."""

    async def total() -> int:
        return sum(row["next_offset"] for row in (await pipeline.positions(EVENTS.name)).values())

    start = await total()

    async def is_far_enough() -> bool:
        return await total() >= start + by

    await until(is_far_enough, f"{by} events more are applied")


async def test_c25_workers_join_leave_and_die_under_load(pipeline: Pipeline, rounds: int) -> None:
    first = pipeline.worker("0")
    first.start()
    async with under_load(pipeline):
        for number in range(1, rounds + 1):
            await moved(pipeline, 1_000)
            second = pipeline.worker(f"second-{number}")
            second.start()
            await until(second.is_ready, "the second worker is ready")
            await moved(pipeline, 2_000)
            assert second.stop() == 0
            third = pipeline.worker(f"third-{number}")
            third.start()
            await until(third.is_ready, "the third worker is ready")
            first.kill()
            await moved(pipeline, 2_000)
            first = third
    await assert_exact(pipeline)
    assert first.is_alive
    assert [line for worker in pipeline.workers for line in worker.log.splitlines() if "Traceback" in line] == []


async def test_p1_kill_9_in_the_middle_and_the_same_name_again(pipeline: Pipeline, rounds: int) -> None:
    worker = pipeline.worker("same", BATCH_SECONDS="0.01")
    worker.start()
    async with under_load(pipeline, a_second=3_000):
        for _ in range(3 * rounds):
            await moved(pipeline, 500)
            worker.kill()
            worker.start()
    await assert_exact(pipeline)


async def test_p2_a_stopped_worker_cannot_store_what_others_have_done(pipeline: Pipeline) -> None:
    stopped, other = pipeline.worker("stopped"), pipeline.worker("other")
    stopped.start()
    async with under_load(pipeline):
        await moved(pipeline, 1_000)
        other.start()
        await until(other.is_ready, "the other worker is ready")
        await moved(pipeline, 1_000)
        stopped.signal(signal.SIGSTOP)
        await asyncio.sleep(8)  # longer than the session time-out, so the other one has all partitions
        await moved(pipeline, 2_000)
        stopped.signal(signal.SIGCONT)
        await moved(pipeline, 1_000)
    await assert_exact(pipeline)
    assert other.is_alive


async def test_p3_postgres_cuts_every_connection(pipeline: Pipeline, rounds: int) -> None:
    worker = pipeline.worker("cut")
    worker.start()
    async with under_load(pipeline):
        for _ in range(4 * rounds):
            await moved(pipeline, 1_000)
            await pipeline.owner.fetch(CUT)
    await assert_exact(pipeline)
    assert worker.is_alive


async def test_p3_an_idle_worker_that_loses_postgres_says_so_until_it_is_back(pipeline: Pipeline) -> None:
    shut: set[int] = set()
    async with relayed(pipeline.database.writer_url, shut=shut) as url:
        worker = pipeline.worker("idle", DATABASE_URL=url)
        worker.start()
        await until(worker.is_ready, "the worker is ready")
        shut.update(range(10_000))
        await pipeline.owner.fetch(CUT)

        async def says_so() -> bool:
            return "postgres" in await worker.problems()

        await until(says_so, "the worker says that Postgres does not answer")
        assert await worker.metric('syncwatch_outage{dependency="postgres"}') == 1
        shut.clear()
        await until(worker.is_ready, "the worker is ready again")
        assert await worker.metric('syncwatch_outage{dependency="postgres"}') == 0
        assert worker.is_alive


async def test_p3_kafka_goes_away_while_a_worker_starts(pipeline: Pipeline) -> None:
    """Our own producer has come through when the broker's door shuts: Faust finds it shut three times."""
    await send_all(pipeline, list(events(Load(events=1_000, users=100, organizations=5, at_once=100))))
    host, port = pipeline.bootstrap.split(":")
    async with relay(host, int(port), shut={2, 3, 4}) as (relayed, knocks):
        worker = pipeline.worker("early", KAFKA_BOOTSTRAP=f"127.0.0.1:{relayed}")
        worker.start()
        await assert_exact(pipeline)
        assert worker.is_alive
        assert worker.stop() == 0
    assert knocks[0] > 4


async def test_p5_positions_set_back_to_the_start_change_nothing(pipeline: Pipeline) -> None:
    await send_all(pipeline, list(events(Load(events=2_000, users=100, organizations=5, at_once=100))))
    worker = pipeline.worker("again")
    worker.start()
    await until(lambda: pipeline.is_applied(EVENTS.name), "everything is applied")
    assert worker.stop() == 0
    before = await _tables(pipeline)
    await pipeline.owner.execute("UPDATE kafka_position SET next_offset = 0, last_hash = NULL")
    worker.start()
    await until(lambda: pipeline.is_applied(EVENTS.name), "everything is applied again")
    assert await _tables(pipeline) == before


async def _tables(pipeline: Pipeline) -> dict[str, Any]:
    """Return what is stored, without what the leader does in its own time: publishing, folding closed hours."""
    hours = "status, error_source, error_category, sum(sessions)"
    queries = {
        "sync_session": "SELECT * FROM sync_session",
        "session_hour": f"SELECT organization_id, hour, {hours} FROM session_hour GROUP BY 1, 2, 3, 4, 5",
        "session_hour_all": f"SELECT hour, mail_system, {hours} FROM session_hour_all GROUP BY 1, 2, 3, 4, 5",
        "organization_status": "SELECT * FROM organization_status",
        "status_change": "SELECT user_id, became, reason, since, revision FROM status_change WHERE user_id IS NOT NULL",
    }
    return {name: fingerprint(await pipeline.owner.fetch(query)) for name, query in queries.items()}
