"""How many events a second each organization may send: a bucket of tokens each. Pure; time is an argument."""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_MOST_BUCKETS: Final = 20_000


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class Quota:
    """A steady rate with a burst on top. A full bucket is forgotten, so memory follows those who are sending."""

    def __init__(self, per_second: float, burst: float) -> None:
        """`burst` events at once, then `per_second`; a rate of 0 means no limit."""
        self._rate = per_second
        self._burst = burst
        self._buckets: OrderedDict[object, _Bucket] = OrderedDict()

    def take(self, who: object, events: int, now: float) -> float:
        """Take `events` for `who`; 0.0 when there was room, else the seconds to wait, and nothing is taken.

        `now` is any clock that never goes back, in seconds.
        """
        if self._rate <= 0:
            return 0.0
        bucket = self._buckets.pop(who, None) or _Bucket(self._burst, now)
        bucket.level = min(self._burst, bucket.level + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets[who] = bucket
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        wanted = min(events, self._burst)  # what is larger than the bucket must still pass through a full one
        if bucket.level < wanted:
            return max(1.0, math.ceil((wanted - bucket.level) / self._rate))
        bucket.level -= events
        return 0.0
