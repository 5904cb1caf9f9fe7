"""The rules as a product: promtool and amtool accept them, each alert is complete, and each is tried in four ways."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.alertmanager.local import lay_out_alertmanager, with_webhook
from deploy.prometheus.local import (
    lay_out_prometheus,
    prometheus_command,
    prometheus_environment,
    write_targets,
)
from tests.rules.mutants import EQUIVALENT, alerts, mutants

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
RULES: Final = [DEPLOY / "prometheus" / name for name in ("recording.yml", "alerts.yml")]
TRIALS: Final = sorted((ROOT / "tests" / "rules").glob("*.yml"))
WAYS: Final = ("fires", "quiet", "boundary", "missing")

Program = Callable[..., Path]


def groups() -> Iterator[dict[str, Any]]:
    for path in RULES:
        yield from yaml.safe_load(path.read_text())["groups"]


GROUPS: Final = [group["name"] for group in groups()]
ALERTS: Final = [rule for group in groups() for rule in group["rules"] if "alert" in rule]
NAMES: Final = [rule["alert"] for rule in ALERTS]
TRIAL_NAMES: Final = [trial["name"] for path in TRIALS for trial in yaml.safe_load(path.read_text())["tests"]]


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", TRIALS, ids=lambda path: path.stem)
def test_l1_c29_c30_the_rules_fire_and_stay_quiet_as_written(path: Path, program: Program) -> None:
    run(program("promtool"), "test", "rules", path)


@pytest.mark.parametrize("path", TRIALS, ids=lambda path: path.stem)
def test_a_trial_evaluates_what_is_recorded_before_what_reads_it(path: Path) -> None:
    """promtool evaluates groups of one name, or that the trial does not name, in any order, another at each run."""
    assert len(set(GROUPS)) == len(GROUPS)
    order = yaml.safe_load(path.read_text())["group_eval_order"]
    assert sorted(order) == sorted(GROUPS)
    recorded = [group["name"] for group in groups() if "record" in group["rules"][0]]
    assert set(order[: len(recorded)]) == set(recorded)


def test_the_rules_and_the_scrape_configuration_are_valid(tmp_path: Path, program: Program) -> None:
    lay_out_prometheus(tmp_path, alertmanager="127.0.0.1:9093")
    write_targets(tmp_path, {"gateway": ["127.0.0.1:9101"], "aggregator": ["127.0.0.1:9102"]})
    run(program("promtool"), "check", "rules", *RULES)
    run(program("promtool"), "check", "config", tmp_path / "prometheus.yml")


@pytest.mark.parametrize("webhook", [None, "http://127.0.0.1:9095/alerts"])
def test_the_routing_is_valid_with_and_without_a_webhook(webhook: str | None, tmp_path: Path, program: Program) -> None:
    lay_out_alertmanager(tmp_path, webhook=webhook)
    run(program("amtool"), "check-config", tmp_path / "alertmanager.yml")
    receivers = yaml.safe_load((tmp_path / "alertmanager.yml").read_text())["receivers"]
    operators = next(receiver for receiver in receivers if receiver["name"] == "operators")
    assert operators.get("webhook_configs", [{"url": None}])[0]["url"] == webhook


def test_a_configuration_without_operators_takes_no_webhook() -> None:
    with pytest.raises(ValueError, match="operators"):
        with_webhook("receivers: []\n", "http://127.0.0.1:9095/alerts")


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_l1_every_alert_is_complete(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning", "none"}
    assert alert["labels"]["owner"]
    annotations = alert["annotations"]
    assert annotations["summary"]
    assert annotations["panel"].startswith("{{ $externalLabels.panel }}/")
    assert annotations["runbook_url"] == "{{ $externalLabels.runbook }}#" + alert["alert"].lower()


@pytest.mark.parametrize("name", NAMES)
def test_l1_every_alert_is_tried_in_four_ways(name: str) -> None:
    tried = {way for trial in TRIAL_NAMES if name in trial for way in WAYS if way in trial}
    assert tried == set(WAYS)


def test_l2_a_mutant_changes_one_thing_of_an_alert() -> None:
    rule = {
        "alert": "Odd", "expr": 'sum by (a, b) (x{c="d", e="f"}[5m] > 60) == 0 and on (a) y:z1h or w', "for": "1m",
        "labels": {"owner": "us"},
    }  # fmt: skip
    made = {mutant.change: mutant.rule for mutant in mutants(rule)}
    assert {change: each["expr"] for change, each in made.items() if each["expr"] != rule["expr"]} == {
        "(1) 60 * 2": 'sum by (a, b) (x{c="d", e="f"}[5m] > (60 * 2)) == 0 and on (a) y:z1h or w',
        "(1) 60 / 2": 'sum by (a, b) (x{c="d", e="f"}[5m] > (60 / 2)) == 0 and on (a) y:z1h or w',
        "(1) and becomes or": 'sum by (a, b) (x{c="d", e="f"}[5m] > 60) == 0 or on (a) y:z1h or w',
        "(2) or becomes and": 'sum by (a, b) (x{c="d", e="f"}[5m] > 60) == 0 and on (a) y:z1h and w',
        "(1) by a dropped": 'sum by (b) (x{c="d", e="f"}[5m] > 60) == 0 and on (a) y:z1h or w',
        "(1) by b dropped": 'sum by (a) (x{c="d", e="f"}[5m] > 60) == 0 and on (a) y:z1h or w',
        '(2) matcher c="d" dropped': 'sum by (a, b) (x{e="f"}[5m] > 60) == 0 and on (a) y:z1h or w',
        '(2) matcher e="f" dropped': 'sum by (a, b) (x{c="d"}[5m] > 60) == 0 and on (a) y:z1h or w',
        "(3) on a dropped": 'sum by (a, b) (x{c="d", e="f"}[5m] > 60) == 0 and on () y:z1h or w',
    }
    assert (made["for * 2"]["for"], made["for / 2"]["for"]) == ("120s", "30s")
    assert made["label owner dropped"]["labels"] == {}


def test_l2_what_is_listed_as_equivalent_is_a_mutant_of_the_rules() -> None:
    assert EQUIVALENT.keys() <= {(mutant.alert, mutant.change) for rule in alerts() for mutant in mutants(rule)}


def test_l1_the_runbook_has_one_heading_per_alert_and_no_other() -> None:
    headings = re.findall(r"^## (.+)$", (DEPLOY / "RUNBOOK.md").read_text(), flags=re.MULTILINE)
    assert headings == NAMES


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_on_absence_waits_before_it_fires(alert: dict[str, Any]) -> None:
    """A start, when nothing is scraped yet, is no news."""
    assert "or vector(0)" not in alert["expr"] or "for" in alert


def test_inhibitions_and_routes_name_alerts_that_exist() -> None:
    text = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text()
    named = {name for names in re.findall(r'alertname =~? "([^"]+)"', text) for name in names.split("|")}
    assert named <= set(NAMES)


def test_targets_are_grouped_by_job_and_a_job_without_processes_is_left_out(tmp_path: Path) -> None:
    write_targets(tmp_path, {"gateway": ["127.0.0.1:1"], "connector": []})
    write_targets(tmp_path, {"gateway": ["127.0.0.1:2", "127.0.0.1:3"], "connector": []})
    groups = json.loads((tmp_path / "targets" / "local.json").read_text())
    assert groups == [{"targets": ["127.0.0.1:2", "127.0.0.1:3"], "labels": {"job": "gateway"}}]
    assert [path.name for path in (tmp_path / "targets").iterdir()] == ["local.json"]


def test_prometheus_listens_on_loopback_and_keeps_the_weeks_it_compares(tmp_path: Path) -> None:
    command = prometheus_command("prometheus", tmp_path, port=9090)
    assert "--web.listen-address=127.0.0.1:9090" in command
    assert "--storage.tsdb.retention.time=35d" in command
    assert prometheus_environment(panel="http://127.0.0.1:8080/", runbook="file:///RUNBOOK.md") == {
        "SYNCWATCH_PANEL_URL": "http://127.0.0.1:8080",
        "SYNCWATCH_RUNBOOK_URL": "file:///RUNBOOK.md",
    }
