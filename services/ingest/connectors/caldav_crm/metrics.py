"""The connector's own figures: passes by outcome, and how long they took."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY: Final = CollectorRegistry()

PASSES: Final = Counter(
    "syncwatch_connector_passes_total",
    "Passes over one user's calendar and CRM records, by outcome.",
    ["outcome"],
    registry=REGISTRY,
)
PASS_SECONDS: Final = Histogram(
    "syncwatch_connector_pass_seconds",
    "Duration of one pass.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)

for outcome in ("finished", "finished_with_issues", "errors"):
    PASSES.labels(outcome)
