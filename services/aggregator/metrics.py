"""The metrics of the aggregator, declared in one place. Closed label sets exist at 0 from the start."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from schemas.events import REASONS
from schemas.kinds import short_type
from schemas.topics import INPUT_TOPICS
from schemas.vocabulary import ERROR_CATEGORY, ERROR_SOURCE, MAIL_SYSTEM, OBJECT_TYPE, listed
from services.aggregator.batch import REFUSED_BY_DATABASE, Partition, Sifted, Work
from services.aggregator.fold import FOREIGN, STARTED_AT_CHANGED
from services.aggregator.gauges import CAUSES
from services.aggregator.sift import IN_FUTURE, TOO_OLD
from services.aggregator.transaction import Saved

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

TYPES: Final = ("session", "issue", "log", "directory", "heartbeat", "command_result", "tick")
ENDS: Final = ("finished", "finished_with_issues", "errors", "cancelled", "timed_out")
OTHER: Final = "other"
NONE: Final = "none"
_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_AGES: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 14400, 86400)

EVENTS_APPLIED: Final = Counter("syncwatch_events_applied", "Events applied, by type.", ["type"], registry=REGISTRY)
EVENTS_REJECTED: Final = Counter(
    "syncwatch_events_rejected", "Records that can never be applied, by reason.", ["reason"], registry=REGISTRY
)
SESSIONS_ENDED: Final = Counter(
    "syncwatch_sessions_ended",
    "Sessions that came to an end, by outcome, cause and mail system; a later attempt counts again.",
    ["status", "error_source", "error_category", "mail_system"],
    registry=REGISTRY,
)
ISSUES_OPENED: Final = Counter(
    "syncwatch_issues_opened", "Issues newly open or open again, by type of object.", ["type"], registry=REGISTRY
)
BATCH_ROWS: Final = Histogram(
    "syncwatch_batch_rows", "Rows in one transaction.", registry=REGISTRY,
    buckets=(1, 5, 20, 100, 500, 1000, 2000, 4000, 8000, 20000),
)  # fmt: skip
BATCH_SECONDS: Final = Histogram(
    "syncwatch_batch_seconds", "One transaction, from fence to commit.", buckets=_SECONDS, registry=REGISTRY
)
EVENT_AGE_SECONDS: Final = Histogram(
    "syncwatch_event_age_seconds", "From append to Kafka to committed.", buckets=_AGES, registry=REGISTRY
)
EMIT_AGE_SECONDS: Final = Histogram(
    "syncwatch_emit_age_seconds", "From the agent's clock to append to Kafka.", buckets=_AGES, registry=REGISTRY
)
LAG: Final = Gauge(
    "kafka_consumergroup_lag", "Records not applied yet.", ["consumergroup", "topic", "partition"], registry=REGISTRY
)
HALTED: Final = Gauge(
    "syncwatch_partition_halted", "1 where a partition is stopped until an operator accepts its position.",
    ["topic", "partition"], registry=REGISTRY,
)  # fmt: skip
FENCES: Final = Counter(
    "syncwatch_fences", "Transactions given up because somebody else moved the position.", registry=REGISTRY
)
VERSION_CONFLICTS: Final = Counter(
    "syncwatch_version_conflicts", "Events with the version of another and other content.", registry=REGISTRY
)
OUTAGE: Final = Gauge("syncwatch_outage", "1 while a dependency is waited for.", ["dependency"], registry=REGISTRY)
POOL_IN_USE: Final = Gauge("syncwatch_pool_in_use", "Connections to Postgres in use.", ["pool"], registry=REGISTRY)
MONITOR_RUN_AGE: Final = Gauge(
    "syncwatch_monitor_run_age_seconds", "Since the monitor last looked for what time alone changes.", registry=REGISTRY
)
BUILD_INFO: Final = Gauge("syncwatch_build_info", "1, with the version as a label.", ["version"], registry=REGISTRY)

REJECT_REASONS: Final = (*REASONS, TOO_OLD, IN_FUTURE, FOREIGN, STARTED_AT_CHANGED, REFUSED_BY_DATABASE, OTHER)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


_monitor_ran_at = [time.time()]
MONITOR_RUN_AGE.set_function(lambda: time.time() - _monitor_ran_at[0])


def monitor_ran() -> None:
    """Note that a run of the monitor ended well."""
    _monitor_ran_at[0] = time.time()


def start_at_zero(group: str, prefix: str) -> None:
    """Make every series of a closed label set, so that the first event is an increase."""
    for kind in TYPES:
        EVENTS_APPLIED.labels(kind)
    for reason in REJECT_REASONS:
        EVENTS_REJECTED.labels(reason)
    for kind in (*OBJECT_TYPE, OTHER):
        ISSUES_OPENED.labels(kind)
    causes = [(NONE, NONE), *CAUSES]
    for status, cause, mail_system in product(ENDS, causes, (*MAIL_SYSTEM, OTHER)):
        if cause == (NONE, NONE) or status in ("errors", "timed_out"):
            SESSIONS_ENDED.labels(status, *cause, mail_system)
    for dependency in ("kafka", "postgres"):
        OUTAGE.labels(dependency).set(0)
    for topic in INPUT_TOPICS:
        for partition in range(topic.partitions):
            LAG.labels(group, prefix + topic.name, str(partition)).set(0)
            HALTED.labels(prefix + topic.name, str(partition)).set(0)


def gave_away(group: str, partition: Partition) -> None:
    """Show nothing more of a partition that another worker owns now: what was last known would outvote it."""
    topic, number = partition[0], str(partition[1])
    LAG.labels(group, topic, number).set(0)
    HALTED.labels(topic, number).set(0)


def sessions_ended(ended: Mapping[tuple[str, str | None, str | None, str | None], int]) -> None:
    """Count sessions that ended, by status, error source, error category, mail system; call it after the commit."""
    for (status, source, category, mail_system), count in ended.items():
        cause = (NONE, NONE)
        if source is not None or status in ("errors", "timed_out"):
            cause = listed(ERROR_SOURCE, source or "unknown"), listed(ERROR_CATEGORY, category or OTHER)
        SESSIONS_ENDED.labels(status, *cause, listed(MAIL_SYSTEM, mail_system)).inc(count)


class Watcher:
    """Counts what the intake tells."""

    def saved(self, work: Work, saved: Saved, seconds: float) -> None:
        """Count one transaction."""
        now_ms = (datetime.now(UTC) - _EPOCH).total_seconds() * 1000
        for sifted in work.sifted:
            _count_events(sifted, now_ms)
        for reject, _ in work.rejects:
            EVENTS_REJECTED.labels(reject.reason if reject.reason in REJECT_REASONS else OTHER).inc()
        sessions_ended(saved.ended)
        for kind, count in saved.opened.items():
            ISSUES_OPENED.labels(listed(OBJECT_TYPE, kind)).inc(count)
        VERSION_CONFLICTS.inc(saved.clashes)
        BATCH_ROWS.observe(work.fold.rows)
        BATCH_SECONDS.observe(seconds)

    def fenced(self) -> None:
        FENCES.inc()

    def halted(self, partition: Partition, *, is_halted: bool) -> None:
        HALTED.labels(partition[0], str(partition[1])).set(is_halted)


def _count_events(sifted: Sifted, now_ms: float) -> None:
    """Count events by type, and look at the ages of the sampled ones."""
    for kind, count in sifted.applied.items():
        EVENTS_APPLIED.labels(short_type(kind)).inc(count)
    for appended_ms, emitted in sifted.sample:
        EVENT_AGE_SECONDS.observe(max(0.0, (now_ms - appended_ms) / 1000))
        if emitted is not None:  # the gateway's own ticks: no agent's clock, no spool
            emitted_ms = (emitted - _EPOCH).total_seconds() * 1000
            EMIT_AGE_SECONDS.observe(max(0.0, (appended_ms - emitted_ms) / 1000))
