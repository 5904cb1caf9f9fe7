"""`./run bench ingest`: the worker against its limit, measured in one run on servers of its own.

Figures of one machine say little; ratios of one run say a lot, and only of what was measured right after one another:
a shared machine may be twice as fast a minute later. So all is measured by turns, each ratio is one of a round, and the
middle one of all rounds counts. The limit is bare aiokafka, msgspec, one row per session and batch, COPY and an upsert
into the same table with the same indexes: no counters, no statuses, no positions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from schemas.topics import EVENTS
from tests.bench import measures
from tests.bench.load import Load, events, publish
from tests.bench.speed import Speed
from tests.bench.stage import Stage, new_prefix, servers
from tests.bench.steps import STEPS
from tests.bench.visible import Seen, visible
from tests.rig.databases import Database

T = TypeVar("T")
APART = 1_000_000_000
"""So many sessions at once: the events of one lie as far apart as can be, and hardly any are folded."""

CLOSE = 300
"""So many at once while one looks from emit to list: batches are small then, and shall fold as the great ones before:
half of the greatest speed is half in events and half in rows."""

HELD = 0.3
"""So much of a processor has each process where the machine shall not be full: what keeps a second worker from gaining
is then each other's locks, and nothing else."""

PROMISES = (
    ("ratio_limit", 0.5, True), ("two_workers", 0.9, True), ("ratio_2m", 0.8, True), ("visible_p99_s", 2.0, False),
)  # fmt: skip
MEMORY_MB = {"aggregator": 300, "gateway": 150, "query": 150}


def main() -> None:
    chosen = _arguments()
    print(f"{os.cpu_count()} CPUs, Python {platform.python_version()}; load before {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="syncwatch-bench-") as folder, servers(Path(folder)) as stage:
        figures = asyncio.run(Benchmark(stage, chosen).run())
    _tell_promises(figures)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench ingest", description=__doc__)
    parser.add_argument("--events", type=int, default=400_000, help="events on the main topic")
    parser.add_argument("--apart", type=int, default=80_000, help="events where hardly any is folded")
    parser.add_argument("--held", type=int, default=200_000, help="events where processes are held to a share")
    parser.add_argument("--stored", type=int, default=2_000_000, help="sessions stored before one of the runs")
    parser.add_argument("--rounds", type=int, default=5, help="how often limit and worker are measured, by turns")
    parser.add_argument("--seconds", type=float, default=12.0, help="how long to look from emit to list")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Round:
    """Limit and worker by turns, alone and two at once, and one worker where much is stored already."""

    limit: Speed
    ours: Speed
    two_limits: Speed
    two_ours: Speed
    full: Speed | None = None

    @property
    def ratio_limit(self) -> float:
        return min(self.ours.events_s / self.limit.events_s, self.ours.rows_s / self.limit.rows_s)

    @property
    def two_workers(self) -> float:
        """What a second worker gains, of what the second process of the limit gains."""
        return (self.two_ours.events_s / self.ours.events_s) / (self.two_limits.events_s / self.limit.events_s)

    @property
    def ratio_2m(self) -> float:
        return self.full.events_s / self.ours.events_s if self.full else 0.0


def middle(rounds: Sequence[Round], ratio: Callable[[Round], float]) -> Round:
    """Return the round whose ratio is the middle one."""
    return sorted(rounds, key=ratio)[len(rounds) // 2]


class Benchmark:
    """One run. Every measure has a database of its own, and the topics are read again and again."""

    def __init__(self, stage: Stage, chosen: argparse.Namespace) -> None:
        self.stage = stage
        self.chosen = chosen
        self.began = time.monotonic()

    async def run(self) -> dict[str, Any]:
        """Measure everything and return the figures under their names."""
        near = Load(events=self.chosen.events // 5 * 5)
        apart = Load(events=self.chosen.apart // 5 * 5, at_once=APART, seed=2)
        few = Load(events=self.chosen.held // 5 * 5, seed=4)
        prefix, far_prefix, held_prefix = new_prefix("near"), new_prefix("apart"), new_prefix("held")
        async with self.stage.known(near) as known:
            async with self.stage.known(near, stored=self.chosen.stored) as full:
                await self._step("events published", self._publish(prefix, near))
                rounds = [await self._round(prefix, near, known, full) for _ in range(self.chosen.rounds)]
            plain = await self._step("vanilla Faust agent", measures.vanilla(self.stage, prefix, known, 8.0))
            costs = await self._step("steps, µs a row", measures.steps(self.stage, prefix, known))
            await self._step("events published, far apart", self._publish(far_prefix, apart))
            far = [await self._round(far_prefix, apart, known, None)]
            await self._step("events published, for processes held to a share", self._publish(held_prefix, few))
            held = [await self._round(held_prefix, few, known, None, HELD) for _ in range(min(3, self.chosen.rounds))]
            rate = middle(rounds, lambda each: each.ours.events_s).ours.events_s / 2
            close = replace(near, seed=3, events=10**9, at_once=CLOSE)
            seen: Seen = await self._step(
                f"emit to list at {rate:,.0f} events a second",
                visible(self.stage, new_prefix("seen"), known, close, rate, self.chosen.seconds),
            )
        most = max(speed.rss_mb for each in rounds for speed in (each.ours, each.full) if speed)
        seen.rss_mb["aggregator"] = max(seen.rss_mb["aggregator"], most)
        return {
            **_figures(rounds),
            "vanilla_faust_rows_s": round(plain.rows_s),
            "steps_us_a_row": {step: round(costs[step], 1) for step in STEPS},
            "apart": _figures(far),
            "held": _figures(held),
            "ratio_2m": round(middle(rounds, lambda each: each.ratio_2m).ratio_2m, 3),
            "visible_p99_s": round(seen.p99_s, 3),
            "rss_mb": {name: round(megabytes) for name, megabytes in seen.rss_mb.items()},
        }

    async def _round(
        self, prefix: str, load: Load, known: Database, full: Database | None, share: float | None = None
    ) -> Round:
        """Measure one right after another; `full`: a database with much in it already; `share`: of a processor."""
        at = self.stage, prefix, known, load
        of = "" if share is None else f", each {share:.0%} of a processor"
        found = Round(
            await self._step(f"limit, one{of}", measures.limit(*at, 1, share)),
            await self._step(f"worker, one{of}", measures.ours(*at, 1, share)),
            await self._step(f"limit, two{of}", measures.limit(*at, 2, share)),
            await self._step(f"workers, two{of}", measures.ours(*at, 2, share)),
        )
        if full is not None:
            words = f"worker, one, {self.chosen.stored:,} sessions stored"
            found = replace(found, full=await self._step(words, measures.ours(self.stage, prefix, full, load, 1)))
        print(f"{'':8}of the limit {found.ratio_limit:.3f}, gain of the second {found.two_workers:.3f}", flush=True)
        return found

    async def _publish(self, prefix: str, load: Load) -> int:
        await self.stage.make_topics(prefix)
        return await publish(self.stage.bootstrap, prefix + EVENTS.name, events(load))

    async def _step(self, what: str, measure: Awaitable[T]) -> T:
        try:
            found = await measure
        except Exception:
            for name in ("aggregator", "limit", "vanilla", "steps", "gateway", "query"):
                print(measures.read_log(self.stage.folder, name))
            raise
        print(f"{time.monotonic() - self.began:5.0f} s  {what}: {_words(found)}", flush=True)
        return found


def _words(found: object) -> str:
    match found:
        case Speed():
            cpu = f", {found.cpu_us:.0f} µs of processor an event" if found.cpu_us else ""
            more = f", {found.rss_mb:.0f} MB, {found.lock_waits} lock waits" if found.rss_mb else ""
            return f"{found.events_s:,.0f} events/s, {found.rows_s:,.0f} rows/s{cpu}{more}"
        case Seen():
            memory = ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in found.rss_mb.items())
            return f"p99 {found.p99_s:.2f} s of {len(found.seconds)} probes; {memory}"
        case dict():
            return ", ".join(f"{step} {cost:.1f}" for step, cost in found.items())
        case int():
            return f"{found:,}"
    return str(found)


def _figures(rounds: Sequence[Round]) -> dict[str, Any]:
    one = middle(rounds, lambda each: each.ratio_limit)
    two = middle(rounds, lambda each: each.two_workers)
    return {
        "limit_rows_s": round(one.limit.rows_s),
        "ours_rows_s": round(one.ours.rows_s),
        "limit_events_s": round(one.limit.events_s),
        "ours_events_s": round(one.ours.events_s),
        "ratio_limit": round(one.ratio_limit, 3),
        "two_workers": round(two.two_workers, 3),
        "two_workers_events_s": round(two.two_ours.events_s),
        "lock_waits": sum(each.two_ours.lock_waits for each in rounds),
        "cpu_us_event": {
            "limit": [round(each.cpu_us, 1) for each in (two.limit, two.two_limits)],
            "ours": [round(each.cpu_us, 1) for each in (two.ours, two.two_ours)],
        },
        "rounds": [
            {name: round(getattr(each, name), 3) for name in ("ratio_limit", "two_workers", "ratio_2m")}
            for each in rounds
        ],
    }


def _tell_promises(figures: dict[str, Any]) -> None:
    """Say of each promise whether this run kept it; a benchmark never fails."""
    print()
    for name, wanted, is_floor in PROMISES:
        is_kept = figures[name] >= wanted if is_floor else figures[name] <= wanted
        _tell(name, figures[name], f"{'≥' if is_floor else '≤'} {wanted}", is_kept)
    _tell("lock_waits", figures["lock_waits"], "0", not figures["lock_waits"])
    for name, most in MEMORY_MB.items():
        _tell(f"{name}, MB", figures["rss_mb"][name], f"< {most}", figures["rss_mb"][name] < most)


def _tell(name: str, found: float, promised: str, is_kept: bool) -> None:
    print(f"{name:16} {found:8}   promised {promised:7} {'kept' if is_kept else 'NOT KEPT'}")


if __name__ == "__main__":
    main()
