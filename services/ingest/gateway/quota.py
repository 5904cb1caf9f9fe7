"""How many events and bytes a second each organization may send: a bucket of tokens each. Pure; time is an argument."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

EVENTS: Final = "events"
BYTES: Final = "bytes"
_MOST_ORGANIZATIONS: Final = 20_000


class Rate(NamedTuple):
    """`burst` at once, then `per_second`; a rate of 0 means no limit."""

    per_second: float = 0.0
    burst: float = 0.0

    def room(self, level: float, seconds: float) -> float:
        """Return the level of a bucket that was at `level` so many seconds ago."""
        return min(self.burst, level + seconds * self.per_second)

    def wait(self, level: float, wanted: float) -> float:
        """Return the seconds until `wanted` fits; 0.0 when it does. More than the burst fits a full bucket."""
        short = min(wanted, self.burst) - level
        return max(1.0, math.ceil(short / self.per_second)) if self.per_second > 0 and short > 0 else 0.0


NO_LIMIT: Final = Rate()


class Over(NamedTuple):
    """Which quota has no room, and the seconds until it has."""

    unit: str
    wait_s: float


@dataclass(slots=True)
class _Buckets:
    levels: Sequence[float]
    at: float


class Quota:
    """Steady rates with bursts on top. Who was not heard of for longest is forgotten where there are too many."""

    def __init__(self, *, events: Rate = NO_LIMIT, size: Rate = NO_LIMIT) -> None:
        """`events` and bytes (`size`) of one organization."""
        self._rates = (events, size)
        self._buckets: OrderedDict[object, _Buckets] = OrderedDict()

    def take(self, who: object, events: int, size: int, now: float) -> Over | None:
        """Take so many events and uncompressed bytes for `who`; where one has no room, nothing is taken of either.

        `now` is any clock that never goes back, in seconds.
        """
        wanted = (events, size)
        had = self._buckets.pop(who, None) or _Buckets([rate.burst for rate in self._rates], now)
        levels = [rate.room(level, now - had.at) for rate, level in zip(self._rates, had.levels, strict=True)]
        waits = [rate.wait(*each) for rate, *each in zip(self._rates, levels, wanted, strict=True)]
        longest = max(waits)
        if not longest:
            levels = [level - amount for level, amount in zip(levels, wanted, strict=True)]
        self._buckets[who] = _Buckets(levels, now)
        if len(self._buckets) > _MOST_ORGANIZATIONS:
            self._buckets.popitem(last=False)
        return Over((EVENTS, BYTES)[waits.index(longest)], longest) if longest else None
