"""The dashboard of users, organizations and their sync sessions."""

from collections.abc import Mapping
from typing import Final

from deploy.grafana.boards import Board, Chart, Row, one

OK, WARN, BAD, TIME, MUTE, ACCENT = "#58a37d", "#c4860b", "#d5403d", "#8960d5", "#8b93a1", "#2450d3"
"""The panel's colours by role: fine, with issues, failed, silent, no matter, running."""

SESSION_COLOURS: Final[Mapping[str, str]] = {
    "finished": OK,
    "finished_with_issues": WARN,
    "errors": BAD,
    "timed_out": TIME,
    "cancelled": MUTE,
}
USER_COLOURS: Final[Mapping[str, str]] = {
    "healthy": OK,
    "partial": WARN,
    "failing": BAD,
    "late": TIME,
    "stuck": TIME,
    "new": MUTE,
    "disabled": BAD,
}
HEALTH_COLOURS: Final[Mapping[str, str]] = {"ok": OK, "degraded": WARN, "down": BAD, "quiet": MUTE, "disabled": BAD}

SYNCS: Final = Board(
    uid="syncwatch-syncs",
    title="Syncwatch: syncs",
    what="How users, organizations and their sync sessions are doing.",
    rows=(
        Row(
            title="Now",
            charts=(
                Chart(
                    title="Users",
                    what="Users that the service knows.",
                    unit="short",
                    kind="figure",
                    width=4,
                    queries=one("sum(status:syncwatch_users:leader)", "users"),
                ),
                Chart(
                    title="Failing",
                    what="Users whose last session ended in errors or timed out.",
                    unit="short",
                    kind="figure",
                    width=4,
                    queries=one('sum(status:syncwatch_users:leader{status="failing"})', "failing"),
                    colours={"failing": BAD},
                ),
                Chart(
                    title="Late or stuck",
                    what="Share of the enabled users; an alert fires over 14.4 % for an hour, 6 % for six.",
                    unit="percentunit",
                    kind="figure",
                    width=4,
                    queries=one("fleet:syncwatch_users_late:share", "late or stuck"),
                    colours={"late or stuck": TIME},
                ),
                Chart(
                    title="Error share",
                    what="Sessions that ended in errors or timed out, of all that ended in the last hour.",
                    unit="percentunit",
                    kind="figure",
                    width=4,
                    queries=one('sum(cause_window:syncwatch_sessions_failed:share{window="1h"})', "errors"),
                    colours={"errors": BAD},
                ),
                Chart(
                    title="Agents silent",
                    what="No heartbeat for 90 s.",
                    unit="short",
                    kind="figure",
                    width=4,
                    queries=one('state:syncwatch_agents:leader{state="silent"}', "silent"),
                    colours={"silent": TIME},
                ),
                Chart(
                    title="We are behind",
                    what="From Kafka's append time to the committed row, 99 of 100 events.",
                    unit="s",
                    kind="figure",
                    width=4,
                    queries=one("fleet:syncwatch_event_age_seconds:p99_5m", "p99"),
                ),
            ),
        ),
        Row(
            title="Users and organizations",
            charts=(
                Chart(
                    title="Users by status",
                    what="As the lists show it; computed in one place.",
                    unit="short",
                    kind="stack",
                    queries=one("status:syncwatch_users:leader", "{{status}}"),
                    colours=USER_COLOURS,
                ),
                Chart(
                    title="Organizations by health",
                    what="Down: half or more of its users are not syncing.",
                    unit="short",
                    kind="stack",
                    queries=one("health:syncwatch_organizations:leader", "{{health}}"),
                    colours=HEALTH_COLOURS,
                ),
                Chart(
                    title="Agents",
                    what="Silent: no heartbeat for 90 s.",
                    unit="short",
                    kind="stack",
                    queries=one("state:syncwatch_agents:leader", "{{state}}"),
                    colours={"heard": OK, "silent": TIME},
                ),
            ),
        ),
        Row(
            title="Sessions",
            charts=(
                Chart(
                    title="Sessions ended",
                    what="A minute, by how they ended.",
                    unit="cpm",
                    kind="stack",
                    queries=one(
                        "60 * sum by (status) "
                        '(rate(syncwatch_sessions_ended_total{mail_system=~"$mail_system"}[$__rate_interval]))',
                        "{{status}}",
                    ),
                    colours=SESSION_COLOURS,
                ),
                Chart(
                    title="Errors by cause",
                    what="Sessions that failed a minute, by error source and category: the ten most frequent.",
                    unit="cpm",
                    kind="stack",
                    queries=one(
                        "60 * topk(10, sum by (error_source, error_category) (rate(syncwatch_sessions_ended_total"
                        '{status=~"errors|timed_out", mail_system=~"$mail_system"}[$__rate_interval])))',
                        "{{error_source}}: {{error_category}}",
                    ),
                ),
                Chart(
                    title="Error share by cause",
                    what="Of all sessions that ended in the last hour: the ten greatest.",
                    unit="percentunit",
                    queries=one(
                        'topk(10, cause_window:syncwatch_sessions_failed:share{window="1h"})',
                        "{{error_source}}: {{error_category}}",
                    ),
                ),
                Chart(
                    title="Failing users by cause",
                    what="Users that fail now, by the cause of their last session: the ten most frequent.",
                    unit="short",
                    queries=one(
                        "topk(10, cause:syncwatch_failing_users:leader)", "{{error_source}}: {{error_category}}"
                    ),
                ),
                Chart(
                    title="Failing organizations by cause",
                    what="Organizations these users are of: whether a cause spreads.",
                    unit="short",
                    queries=one(
                        "topk(10, cause:syncwatch_failing_organizations:leader)", "{{error_source}}: {{error_category}}"
                    ),
                ),
                Chart(
                    title="Sessions by mail system",
                    what="Sessions that ended a minute.",
                    unit="cpm",
                    queries=one(
                        "60 * sum by (mail_system) "
                        '(rate(syncwatch_sessions_ended_total{mail_system=~"$mail_system"}[$__rate_interval]))',
                        "{{mail_system}}",
                    ),
                ),
                Chart(
                    title="Issues opened",
                    what="Objects that could not be created, updated or deleted, a minute, by type.",
                    unit="cpm",
                    queries=one(
                        "60 * sum by (type) (rate(syncwatch_issues_opened_total[$__rate_interval]))", "{{type}}"
                    ),
                ),
                Chart(
                    title="Organizations with most errors",
                    what="Failed sessions in 24 h: the ten worst.",
                    unit="short",
                    queries=one(
                        "topk(10, max by (organization) (syncwatch_organization_errors_24h "
                        "and on (job, instance) syncwatch_leader == 1))",
                        "{{organization}}",
                    ),
                ),
            ),
        ),
    ),
)
