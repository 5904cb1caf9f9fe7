"""What only the leader exports: gauges read from the database. Whoever leads no more exports none of them."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from schemas.topics import INPUT_TOPICS
from schemas.vocabulary import ERROR_CATEGORY, ERROR_SOURCE, ORGANIZATION_HEALTH, USER_STATUS

AGENT_STATES: Final = ("heard", "silent")
CAUSES: Final = tuple(product((*ERROR_SOURCE, "other"), ERROR_CATEGORY))
"""Error source and category, as the counter of sessions has them for sessions that failed."""
NOTED: Final = tuple(topic.name for topic in INPUT_TOPICS if topic.on_gap == "note")
"""Topics that are read on behind what is lost of them."""


class LeaderGauges:
    """The leader's gauges in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._leader = Gauge("syncwatch_leader", "1 in the one process that leads.", registry=registry)
        self._users = Gauge("syncwatch_users", "Users by status.", ["status"], registry=registry)
        self._organizations = Gauge(
            "syncwatch_organizations", "Organizations by health.", ["health"], registry=registry
        )
        self._agents = Gauge(
            "syncwatch_agents", "Agents by whether a heartbeat is heard.", ["state"], registry=registry
        )
        self._errors = Gauge(
            "syncwatch_organization_errors_24h", "Sessions with errors or timed out in 24 hours: the 50 worst.",
            ["organization"], registry=registry,
        )  # fmt: skip
        self._failing_users = Gauge(
            "syncwatch_failing_users", "Users that fail now, by error source and category.",
            ["error_source", "error_category"], registry=registry,
        )  # fmt: skip
        self._failing_organizations = Gauge(
            "syncwatch_failing_organizations", "Organizations with users that fail now, by error source and category.",
            ["error_source", "error_category"], registry=registry,
        )  # fmt: skip
        self._lost = Gauge(
            "syncwatch_lost_records", "Records that were gone before they were read, noted in the last day, by topic.",
            ["topic"], registry=registry,
        )  # fmt: skip
        # Without labels it cannot be cleared: it is in the registry only while this process leads.
        self._days = Gauge("syncwatch_day_partitions_ahead", "Days to come that have tables.", registry=None)
        self._shows_days = False

    def lead(self) -> None:
        """Say that this process leads."""
        self._leader.set(1)

    def step_down(self) -> None:
        """Export nothing any more but that this process does not lead."""
        self._leader.set(0)
        for gauge in (
            self._users, self._organizations, self._agents, self._errors, self._failing_users,
            self._failing_organizations, self._lost,
        ):  # fmt: skip
            gauge.clear()
        if self._shows_days:
            self._registry.unregister(self._days)
            self._shows_days = False

    def show_users(self, counts: Mapping[str, int | None]) -> None:
        for status in USER_STATUS:
            self._users.labels(status).set(counts.get(status) or 0)

    def show_organizations(self, counts: Mapping[str, int]) -> None:
        for health in ORGANIZATION_HEALTH:
            self._organizations.labels(health).set(counts.get(health, 0))

    def show_agents(self, counts: Mapping[str, int]) -> None:
        for state in AGENT_STATES:
            self._agents.labels(state).set(counts[state])

    def show_errors(self, worst: Iterable[tuple[str, int]]) -> None:
        self._errors.clear()
        for organization, errors in worst:
            self._errors.labels(organization).set(errors)

    def show_failing(self, counts: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """Show users and organizations by listed error source and category; a cause without any shows 0."""
        for cause in CAUSES:
            users, organizations = counts.get(cause, (0, 0))
            self._failing_users.labels(*cause).set(users)
            self._failing_organizations.labels(*cause).set(organizations)

    def show_lost(self, counts: Mapping[str, int], prefix: str = "") -> None:
        for topic in NOTED:
            self._lost.labels(prefix + topic).set(counts.get(prefix + topic, 0))

    def show_days_ahead(self, days: int) -> None:
        self._days.set(days)
        if not self._shows_days:
            self._registry.register(self._days)
            self._shows_days = True
