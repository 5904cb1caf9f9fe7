"""What only the leader exports: gauges read from the database. Whoever leads no more exports none of them."""

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from schemas.vocabulary import ORGANIZATION_HEALTH, USER_STATUS

AGENT_STATES: Final = ("heard", "silent")


class LeaderGauges:
    """The leader's gauges in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
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
        self._days = Gauge("syncwatch_day_partitions_ahead", "Days to come that have tables.", registry=registry)

    def lead(self) -> None:
        """Say that this process leads."""
        self._leader.set(1)

    def step_down(self) -> None:
        """Export nothing any more but that this process does not lead."""
        self._leader.set(0)
        for gauge in (self._users, self._organizations, self._agents, self._errors):
            gauge.clear()

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

    def show_days_ahead(self, days: int) -> None:
        self._days.set(days)
