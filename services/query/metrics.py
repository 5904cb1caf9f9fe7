"""Every metric of the query service; label sets are closed and present at 0 from the start."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

REQUEST_SECONDS: Final = Histogram(
    "syncwatch_request_seconds",
    "Time to answer a request, streams to their end.",
    ["route", "code"],
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30),
)
EXPORT_ROWS: Final = Counter(
    "syncwatch_export_rows_total",
    "Rows exported as CSV, and sessions whose logs were exported as zip.",
    registry=REGISTRY,
)
EXPORT_BYTES: Final = Counter("syncwatch_export_bytes_total", "Bytes exported as CSV or zip.", registry=REGISTRY)
EXPORT_SECONDS: Final = Histogram(
    "syncwatch_export_seconds",
    "Time of an export from its record, made as its first bytes are there, to its last byte.",
    ["outcome"],
    registry=REGISTRY,
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 600),
)
OUTCOMES: Final = ("complete", "cut", "cancelled")
for _outcome in OUTCOMES:
    EXPORT_SECONDS.labels(_outcome)

_INFO: Final = Gauge(
    "syncwatch_build_info", "Always 1; the labels say what runs.", ["service", "version", "python"], registry=REGISTRY
)
_INFO.labels("query", version("syncwatch"), platform.python_version()).set(1)


class PoolUse(Collector):
    """Connections lent, by pool, asked for when scraped."""

    def __init__(self, in_use: Callable[[], Mapping[str, int]]) -> None:
        self._in_use = in_use

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the one family."""
        family = GaugeMetricFamily("syncwatch_pool_in_use", "Database connections in use.", labels=["pool"])
        for pool, number in self._in_use().items():
            family.add_metric([pool], number)
        yield family


def present_at_zero(routes: Iterable[str], codes: Iterable[str] = ("200", "400", "401", "404", "500", "503")) -> None:
    """Let every series of a route exist before its first request."""
    for route in routes:
        for code in codes:
            REQUEST_SECONDS.labels(route, code)
