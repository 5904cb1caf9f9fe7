"""A real Prometheus and a real Alertmanager over processes of a test, with the configuration of deploy/ made quick.

Quick means: scraped and evaluated every second or few, `for` and `keep_firing_for` cut to seconds, and so are
Alertmanager's waits and the time after which Prometheus tells it again.
Expressions, limits and windows are untouched.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode
from urllib.request import urlopen

from deploy.alertmanager.local import alertmanager_command, lay_out_alertmanager
from deploy.local.ports import any_free
from deploy.prometheus.local import (
    lay_out_prometheus,
    prometheus_command,
    prometheus_environment,
    write_targets,
)

T = TypeVar("T")
PATIENCE_S: Final = 300.0
QUICK: Final = {
    r"\bfor": 2,
    r"\bkeep_firing_for": 10,
    r"\b(?:scrape_timeout|refresh_interval|group_wait|group_interval)": 1,
}
"""Seconds by what is cut."""
PANEL: Final = "http://panel.example"
RUNBOOK: Final = "http://book.example"


def until(holds: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """Ask again and again until the answer is true, and return it."""
    limit = time.monotonic() + patience_s
    while time.monotonic() < limit:
        if answer := holds():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"not seen within {patience_s:.0f} s: {what}")


def get(url: str, **parameters: str) -> Any:
    """Return the JSON behind `url`."""
    with urlopen(f"{url}?{urlencode(parameters)}", timeout=10) as answer:
        return json.load(answer)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus that tells an Alertmanager."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression, now."""
        series: list[dict[str, Any]] = get(f"{self.url}/api/v1/query", query=expression)["data"]["result"]
        return series

    def tells_somebody(self) -> bool:
        """Say whether it has found its Alertmanager: what fires before is told only a minute later."""
        return bool(get(f"{self.url}/api/v1/alertmanagers")["data"]["activeAlertmanagers"])


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """A running Alertmanager."""

    url: str
    process: "subprocess.Popen[bytes]"

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Return what it holds under that name."""
        alerts: list[dict[str, Any]] = get(f"{self.url}/api/v2/alerts", filter=f'alertname="{name}"')
        return alerts


@contextmanager
def prometheus(
    program: Path,
    folder: Path,
    targets: Mapping[str, Sequence[str]],
    alertmanager: str,
    *,
    recording: str | None = None,
    every_s: int = 1,
) -> Iterator[Prometheus]:
    """Run Prometheus in `folder` over `targets` until the block is left; `recording` replaces the recording rules."""
    port = any_free()
    lay_out_prometheus(folder, alertmanager=alertmanager)
    write_targets(folder, targets)
    for path in folder.glob("*.yml"):
        path.write_text(_quickened(path.read_text(), every_s))
    if recording is not None:
        (folder / "recording.yml").write_text(recording)
    environment = os.environ | prometheus_environment(panel=PANEL, runbook=RUNBOOK)
    command = [*prometheus_command(str(program), folder, port=port), "--rules.alert.resend-delay=5s"]
    with _running(command, environment, port, folder) as (url, _):
        found = Prometheus(url)
        until(found.tells_somebody, "Prometheus has found its Alertmanager")
        yield found


@contextmanager
def alertmanager(program: Path, folder: Path, *, port: int, webhook: str | None = None) -> Iterator[Alertmanager]:
    """Run Alertmanager in `folder`, whose data it keeps, until the block is left."""
    lay_out_alertmanager(folder, webhook=webhook)
    path = folder / "alertmanager.yml"
    path.write_text(_quickened(path.read_text()))
    with _running(alertmanager_command(str(program), folder, port=port), os.environ, port, folder) as (url, process):
        yield Alertmanager(url, process)


@contextmanager
def _running(
    command: list[str], environment: Mapping[str, str], port: int, folder: Path
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    log = folder / "log"
    with ExitStack() as parts:
        output = parts.enter_context(log.open("ab"))
        process = parts.enter_context(subprocess.Popen(command, env=dict(environment), stderr=output))
        parts.callback(process.wait, 10)
        parts.callback(process.terminate)
        url = f"http://127.0.0.1:{port}"

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            with suppress(OSError), urlopen(f"{url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
            return False

        until(ready, f"{command[0]} is ready")
        yield url, process


def _quickened(text: str, every_s: int = 1) -> str:
    for what, seconds in {**QUICK, r"\b(?:scrape_interval|evaluation_interval)": every_s}.items():
        text = re.sub(rf"({what}): \w+", rf"\1: {seconds}s", text)
    return text
