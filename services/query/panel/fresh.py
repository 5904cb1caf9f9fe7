"""How fresh a page is, and how loudly to say so: the mark in its head and the banners above it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.topics import EVENTS, LOGS
from services.query.freshness import STILL, Freshness
from services.query.panel import words

QUIET_S: Final = 10.0
BANNER_S: Final = 60.0
STILL_S: Final = STILL.total_seconds()


@dataclass(frozen=True, slots=True)
class Banner:
    """One line above the page that cannot be closed."""

    title: str
    text: str
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Fresh:
    """The freshness mark: as of when, how far behind, how loudly to say so."""

    as_of: datetime | None
    lag_s: float | None
    tone: str
    banners: tuple[Banner, ...]
    counted_to: datetime | None


def fresh(freshness: Freshness, zone: ZoneInfo, now: datetime) -> Fresh:
    """Return how loudly to say how old the page is. While we are behind, nobody is called late."""
    banners = tuple(_banners(freshness, zone, now))
    stopped = any(banner.stopped for banner in banners)
    behind = bool(banners) or freshness.lag_s is None or freshness.lag_s >= QUIET_S
    return Fresh(
        freshness.as_of,
        freshness.lag_s,
        "stopped" if stopped else "behind" if behind else "",
        banners,
        freshness.counted_to,
    )


def _banners(freshness: Freshness, zone: ZoneInfo, now: datetime) -> Iterator[Banner]:
    at = words.clock(freshness.as_of, zone) if freshness.as_of else "an unknown time"
    for topic, whose in ((EVENTS, "users"), (LOGS, "users' logs")):
        if halted := sum(topic.is_called(name.rpartition("/")[0]) for name in freshness.halted):
            text = f"What is reported of {halted}/{topic.partitions} of the {whose} is not applied; all else goes on."
            yield Banner("Part of the monitoring has stopped.", text, True)
    if freshness.deaf_s is None:
        yield Banner("Monitoring has not begun.", "Nothing was ever applied: are workers, Kafka and gateway up?")
    elif freshness.deaf_s >= STILL_S:
        since = words.clock(now - timedelta(seconds=freshness.deaf_s), zone)
        text = f"Nothing is applied since {since}: workers, Kafka or gateway are down. Nobody is called late meanwhile."
        yield Banner("Monitoring stands still.", text)
    elif freshness.still_s is not None and freshness.still_s >= STILL_S:
        since = words.clock(now - timedelta(seconds=freshness.still_s), zone)
        text = f"Some users' data is not applied since {since}: a worker is down or hangs. None of them is called late."
        yield Banner("Part of the monitoring stands still.", text)
    elif freshness.as_of is None:
        text = "Nothing of some users was ever applied: is a worker down? None of them is called late."
        yield Banner("Part of the monitoring has not begun.", text)
    elif freshness.lag_s is not None and freshness.lag_s >= BANNER_S:
        behind = words.rough(freshness.lag_s)
        text = f"nobody is called late meanwhile. What you see is the state at {at}."
        yield Banner(f"Monitoring is {behind} behind:", text)
