"""Every metric is documented, and its name and labels keep the rules that alerts and dashboards rely on."""

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from deploy.grafana.boards import Board
from deploy.grafana.generate import BOARDS
from services.aggregator.gauges import LeaderGauges
from services.query.metrics import PoolUse

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "metrics.md"
MODULES: Final = {
    "Gateway": "services.ingest.metrics",
    "Aggregator": "services.aggregator.metrics",
    "Query service": "services.query.metrics",
    "Connector": "services.ingest.connectors.caldav_crm.metrics",
}
ROW: Final = re.compile(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*?) ?\| (.+) \|$", re.MULTILINE)
NAMES_A_PERSON: Final = {"user", "user_id", "email", "session", "session_id", "message", "agent_id", "organization_id"}


class Declared(NamedTuple):
    """A metric as Prometheus sees it; a histogram by its base name."""

    name: str
    type: str
    labels: frozenset[str]


def declared(module_name: str) -> Iterator[Declared]:
    """Yield the metrics a module declares, used or not."""
    module = import_module(module_name)
    yield from wrapped(vars(module).values())
    if module_name == "services.aggregator.metrics":
        yield from wrapped(vars(LeaderGauges(CollectorRegistry())).values())
    if module_name == "services.query.metrics":
        for family in PoolUse(lambda: {"list": 0}).collect():
            yield Declared(family.name, family.type, frozenset(family.samples[0].labels))


def wrapped(values: Iterable[object]) -> Iterator[Declared]:
    """Yield those of `values` that are metrics."""
    for value in values:
        if isinstance(value, MetricWrapperBase):
            ending = "_total" if value._type == "counter" else ""
            yield Declared(value._name + ending, str(value._type), frozenset(value._labelnames))


def documented(heading: str) -> Iterator[Declared]:
    """Yield the rows of the table under a heading of the page."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for name, kind, labels, _ in ROW.findall(section):
        yield Declared(name, kind, frozenset(filter(None, labels.split(", "))))


def known() -> set[str]:
    """Return every name that Prometheus can know: ours, those of our records, and what it adds itself."""
    names = {"up"}
    for module in MODULES.values():
        for metric in declared(module):
            names |= {metric.name}
            if metric.type == "histogram":
                names |= {metric.name + ending for ending in ("_bucket", "_sum", "_count")}
    names |= {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds"}
    recording = yaml.safe_load((ROOT / "deploy" / "prometheus" / "recording.yml").read_text())
    return names | {rule["record"] for group in recording["groups"] for rule in group["rules"]}


def named_in(expression: str) -> set[str]:
    """Return the metric names in a PromQL expression."""
    bare = re.sub(r'"[^"]*"|`[^`]*`|\{\{.*?\}\}', "", expression)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right) *\([^)]*\)", "", bare)
    return set(re.findall(r"\b(?:\w+:[\w:]+|(?:syncwatch|kafka|process)_\w+|up)\b", bare))


@pytest.mark.parametrize("heading", MODULES)
def test_the_page_lists_exactly_the_metrics_with_their_labels(heading: str) -> None:
    assert sorted(documented(heading)) == sorted(declared(MODULES[heading]))


@pytest.mark.parametrize(
    "metric", [metric for module in MODULES.values() for metric in declared(module)], ids=lambda metric: metric.name
)
def test_names_and_labels_keep_the_rules(metric: Declared) -> None:
    assert re.fullmatch(r"syncwatch_[a-z0-9_]+|kafka_consumergroup_lag", metric.name)
    assert metric.name.endswith("_total") == (metric.type == "counter")
    assert not re.search(r"_(?:ms|millis|milliseconds|minutes|kb|mb|percent)(?:_|$)", metric.name)
    assert not metric.labels & NAMES_A_PERSON


def test_rules_name_only_metrics_that_exist() -> None:
    for name in ("recording.yml", "alerts.yml"):
        for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / name).read_text())["groups"]:
            for rule in group["rules"]:
                texts = [rule["expr"], *re.findall(r"`([^`]*)`", rule.get("annotations", {}).get("description", ""))]
                for text in texts:
                    assert named_in(text) <= known(), rule.get("alert") or rule["record"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_dashboards_name_only_metrics_that_exist(board: Board) -> None:
    for row in board.rows:
        for chart in row.charts:
            for query in chart.queries:
                names = named_in(query.expr)
                assert names, chart.title
                assert names <= known(), chart.title
