"""How fast processes were, from what each had committed when. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Commit(NamedTuple):
    """When something was committed, in seconds since 1970, and how much there was by then."""

    at: float
    events: int
    rows: int


@dataclass(frozen=True, slots=True)
class Speed:
    """Events and rows a second, and what was seen meanwhile."""

    events_s: float
    rows_s: float
    rss_mb: float = 0.0
    lock_waits: int = 0
    cpu_us: float = 0.0
    """Processor time of everything that runs, microseconds an event."""


def speed_of(processes: Sequence[Sequence[Commit]]) -> Speed:
    """Return the speed of all from when each has committed something until the first has no more to do."""
    began = max(commits[0].at for commits in processes)
    ended = min(commits[-1].at for commits in processes)
    events = rows = 0
    for commits in processes:
        within = [each for each in commits if each.at <= ended]
        before = [each for each in within if each.at <= began][-1]
        events += within[-1].events - before.events
        rows += within[-1].rows - before.rows
    return Speed(events / (ended - began), rows / (ended - began))


def commits_of(samples: Sequence[tuple[float, Mapping[int, int]]], worker: int, workers: int) -> list[Commit]:
    """Return the commits of one worker, as far as looking now and then shows them; their rows are not known.

    Partitions are dealt out by turns, so those of one worker have the same remainder.
    """
    commits: list[Commit] = []
    for at, totals in samples:
        events = sum(count for partition, count in totals.items() if partition % workers == worker)
        if events > (commits[-1].events if commits else 0):
            commits.append(Commit(at, events, 0))
    return commits
