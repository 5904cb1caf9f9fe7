"""The dashboard of Syncwatch itself: events in, Kafka, workers, queries."""

from typing import Final

from deploy.grafana.boards import Board, Chart, Query, Row, one, quantiles

PIPELINE: Final = Board(
    uid="syncwatch-pipeline",
    title="Syncwatch: pipeline",
    what="Syncwatch itself: events in, Kafka, workers, queries.",
    rows=(
        Row(
            title="Gateway",
            charts=(
                Chart(
                    title="Events received",
                    what="Acknowledged by Kafka, by type.",
                    unit="eps",
                    queries=one("sum by (type) (rate(syncwatch_events_received_total[$__rate_interval]))", "{{type}}"),
                ),
                Chart(
                    title="Events refused",
                    what="By reason. Nothing here is tried again.",
                    unit="eps",
                    queries=one(
                        "topk(10, sum by (reason) (rate(syncwatch_events_refused_total[$__rate_interval])))",
                        "{{reason}}",
                    ),
                ),
                Chart(
                    title="Time to Kafka's acknowledgement",
                    what="Of a request's events, all replicas.",
                    unit="s",
                    queries=quantiles("syncwatch_publish_seconds"),
                ),
                Chart(
                    title="Ticks",
                    what="One a partition every 2 s. Without them time stands still.",
                    unit="eps",
                    queries=one("sum by (instance) (rate(syncwatch_ticks_total[$__rate_interval]))", "{{instance}}"),
                ),
                Chart(
                    title="Security events",
                    what="Foreign organizations, bad tokens, tokens in addresses.",
                    unit="eps",
                    queries=one("sum by (kind) (rate(syncwatch_security_events_total[$__rate_interval]))", "{{kind}}"),
                ),
                Chart(
                    title="Outages",
                    what="1 while a dependency does not answer.",
                    unit="short",
                    queries=one("max by (job, dependency) (syncwatch_outage)", "{{job}}: {{dependency}}"),
                ),
            ),
        ),
        Row(
            title="Aggregator",
            charts=(
                Chart(
                    title="Events applied",
                    what="Committed to Postgres, by type.",
                    unit="eps",
                    queries=one("sum by (type) (rate(syncwatch_events_applied_total[$__rate_interval]))", "{{type}}"),
                ),
                Chart(
                    title="Events rejected",
                    what="Kept aside with their reason, their neighbours applied.",
                    unit="eps",
                    queries=one(
                        "topk(10, sum by (reason) (rate(syncwatch_events_rejected_total[$__rate_interval])))",
                        "{{reason}}",
                    ),
                ),
                Chart(
                    title="Age when applied",
                    what="From Kafka's append time to the committed row.",
                    unit="s",
                    queries=quantiles("syncwatch_event_age_seconds"),
                ),
                Chart(
                    title="Age when sent",
                    what="From the agent's clock to Kafka's append time: spools that drain, clocks that are wrong.",
                    unit="s",
                    queries=quantiles("syncwatch_emit_age_seconds"),
                ),
                Chart(
                    title="Lag by partition",
                    what="Records that wait: the ten longest.",
                    unit="short",
                    queries=one("topk(10, partition:kafka_consumergroup_lag:max)", "{{topic}} {{partition}}"),
                ),
                Chart(
                    title="Partitions stopped",
                    what="1: not read until an operator accepts it.",
                    unit="short",
                    queries=one("sum by (topic) (syncwatch_partition_halted)", "{{topic}}"),
                ),
                Chart(
                    title="Batch time",
                    what="One transaction: positions, rows, counters, statuses.",
                    unit="s",
                    queries=quantiles("syncwatch_batch_seconds"),
                ),
                Chart(
                    title="Batch size",
                    what="Rows in one transaction.",
                    unit="short",
                    queries=quantiles("syncwatch_batch_rows"),
                ),
                Chart(
                    title="Fences and clashes",
                    what="A batch dropped because another owns the partition; equal versions with other content.",
                    unit="cps",
                    queries=(
                        Query(expr="sum(rate(syncwatch_fences_total[$__rate_interval]))", legend="fences"),
                        Query(expr="sum(rate(syncwatch_version_conflicts_total[$__rate_interval]))", legend="clashes"),
                    ),
                ),
                Chart(
                    title="Time since the monitor looked",
                    what="For late, stuck and timed-out users: every 5 s.",
                    unit="s",
                    queries=one("syncwatch_monitor_run_age_seconds", "{{instance}}"),
                ),
                Chart(
                    title="Leader",
                    what="Exactly one worker leads.",
                    unit="short",
                    queries=one("syncwatch_leader", "{{instance}}"),
                ),
                Chart(
                    title="Days ahead",
                    what="Day partitions that exist already; there is no default one.",
                    unit="d",
                    queries=one(
                        "max(syncwatch_day_partitions_ahead and on (job, instance) syncwatch_leader == 1)", "days"
                    ),
                ),
            ),
        ),
        Row(
            title="Query service",
            charts=(
                Chart(
                    title="Requests",
                    what="By status code.",
                    unit="reqps",
                    queries=one(
                        "sum by (job, code) (rate(syncwatch_request_seconds_count[$__rate_interval]))",
                        "{{job}} {{code}}",
                    ),
                ),
                Chart(
                    title="Answer time, slowest routes",
                    what="99 of 100 requests, streams to their end.",
                    unit="s",
                    queries=one(
                        "topk(10, histogram_quantile(0.99, sum by (le, route) "
                        "(rate(syncwatch_request_seconds_bucket[$__rate_interval]))))",
                        "{{route}}",
                    ),
                ),
                Chart(
                    title="Connections in use",
                    what="By pool: lists, exports and admin cannot starve each other.",
                    unit="short",
                    queries=one("sum by (pool) (syncwatch_pool_in_use)", "{{pool}}"),
                ),
                Chart(
                    title="Rows and sessions exported",
                    what="Rows as CSV, and sessions whose logs were taken as zip.",
                    unit="rowsps",
                    queries=one("sum(rate(syncwatch_export_rows_total[$__rate_interval]))", "rows"),
                ),
                Chart(
                    title="Bytes exported",
                    what="As CSV and zip.",
                    unit="Bps",
                    queries=one("sum(rate(syncwatch_export_bytes_total[$__rate_interval]))", "bytes"),
                ),
                Chart(
                    title="Export time",
                    what="From the first bytes to the last byte.",
                    unit="s",
                    queries=quantiles("syncwatch_export_seconds"),
                ),
            ),
        ),
        Row(
            title="Processes",
            charts=(
                Chart(
                    title="Memory",
                    what="Resident.",
                    unit="bytes",
                    queries=one("process_resident_memory_bytes", "{{job}} {{instance}}"),
                ),
                Chart(
                    title="CPU",
                    what="Cores in use.",
                    unit="short",
                    queries=one("rate(process_cpu_seconds_total[$__rate_interval])", "{{job}} {{instance}}"),
                ),
                Chart(
                    title="Versions",
                    what="Processes by version.",
                    unit="short",
                    queries=one("count by (job, version) (syncwatch_build_info)", "{{job}} {{version}}"),
                ),
            ),
        ),
    ),
)
