"""The metrics of ingest, declared in one place. Closed label sets exist at 0 from the start (see docs/metrics.md)."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from schemas.events import REASONS
from services.ingest.gateway import quota, validate

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

ROUTES: Final = ("/v1/events", "other")
CODES: Final = ("202", "207", "400", "401", "403", "404", "405", "408", "413", "415", "422", "429", "500", "503")

EVENTS_RECEIVED: Final = Counter(
    "syncwatch_events_received",
    "Events that Kafka acknowledged, by type.",
    ["type"],
    registry=REGISTRY,
)
EVENTS_REFUSED: Final = Counter(
    "syncwatch_events_refused",
    "Events that can never be taken, by type and reason.",
    ["type", "reason"],
    registry=REGISTRY,
)
BODIES_REFUSED: Final = Counter(
    "syncwatch_bodies_refused",
    "Requests refused as a whole, by status code.",
    ["code"],
    registry=REGISTRY,
)
SECURITY_EVENTS: Final = Counter(
    "syncwatch_security_events",
    "Tries to send as somebody else, or without the right, by kind.",
    ["kind"],
    registry=REGISTRY,
)
OVER_QUOTA: Final = Counter(
    "syncwatch_over_quota",
    "Requests told to come again because their organization is over its quota, by what there is too much of.",
    ["unit"],
    registry=REGISTRY,
)
BATCH_EVENTS: Final = Histogram(
    "syncwatch_batch_events",
    "Events in one request.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
    registry=REGISTRY,
)
PUBLISH_SECONDS: Final = Histogram(
    "syncwatch_publish_seconds",
    "From handing a request's events to Kafka until all are acknowledged or given up.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
    registry=REGISTRY,
)
UNACKNOWLEDGED: Final = Counter(
    "syncwatch_events_unacknowledged",
    "Events whose fate Kafka did not tell in time; the agent sends them again.",
    registry=REGISTRY,
)
REQUEST_SECONDS: Final = Histogram(
    "syncwatch_request_seconds",
    "From the head of a request to its answer, by route and status code.",
    ["route", "code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
TICKS: Final = Counter(
    "syncwatch_ticks",
    "Ticks that Kafka acknowledged.",
    registry=REGISTRY,
)
OUTAGE: Final = Gauge(
    "syncwatch_outage",
    "1 while that dependency does not answer.",
    ["dependency"],
    registry=REGISTRY,
)
BUILD_INFO: Final = Gauge("syncwatch_build_info", "Always 1; the version is a label.", ["version"], registry=REGISTRY)

SECURITY_KINDS: Final = ("foreign_organization", "foreign_agent", "bad_token", "token_in_url")

for _type in validate.TYPES:
    EVENTS_RECEIVED.labels(_type)
    for _reason in (*REASONS, *validate.REASONS):
        EVENTS_REFUSED.labels(_type, _reason)
for _code in CODES:
    BODIES_REFUSED.labels(_code)
    for _route in ROUTES:
        REQUEST_SECONDS.labels(_route, _code)
for _unit in (quota.EVENTS, quota.BYTES):
    OVER_QUOTA.labels(_unit)
for _kind in SECURITY_KINDS:
    SECURITY_EVENTS.labels(_kind)
for _dependency in ("kafka", "postgres"):
    OUTAGE.labels(_dependency)
