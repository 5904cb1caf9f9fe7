"""A real Prometheus and a real Alertmanager over processes of a test, with the configuration of deploy/ made quick.

Quick means: scraped and evaluated every second, `for` and `keep_firing_for` cut to seconds, and so are
Alertmanager's waits and the time after which Prometheus tells it again.
Expressions, limits and windows are untouched.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from deploy.alertmanager.local import alertmanager_command, lay_out_alertmanager
from deploy.local.ports import any_free
from deploy.prometheus.local import (
    lay_out_prometheus,
    prometheus_command,
    prometheus_environment,
    write_targets,
)

T = TypeVar("T")
PATIENCE_S: Final = 240.0
QUICK: Final = (
    (r"\bfor: \w+", "for: 2s"),
    (r"\bkeep_firing_for: \w+", "keep_firing_for: 10s"),
    (
        r"\b(scrape_interval|scrape_timeout|evaluation_interval|refresh_interval|group_wait|group_interval): \w+",
        r"\1: 1s",
    ),
)
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


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus that tells an Alertmanager."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression, now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression})
        answer.raise_for_status()
        series: list[dict[str, Any]] = answer.json()["data"]["result"]
        return series

    def tells_somebody(self) -> bool:
        """Say whether it has found its Alertmanager: what fires before is told only a minute later."""
        return bool(httpx.get(f"{self.url}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"])


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """A running Alertmanager."""

    url: str
    process: "subprocess.Popen[bytes]"

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Return what it holds under that name."""
        answer = httpx.get(f"{self.url}/api/v2/alerts", params={"filter": f'alertname="{name}"'})
        answer.raise_for_status()
        alerts: list[dict[str, Any]] = answer.json()
        return alerts


@contextmanager
def prometheus(
    program: Path,
    folder: Path,
    targets: Mapping[str, Sequence[str]],
    alertmanager: str,
    *,
    recording: str | None = None,
) -> Iterator[Prometheus]:
    """Run Prometheus in `folder` over `targets` until the block is left; `recording` replaces the recording rules."""
    port = any_free()
    lay_out_prometheus(folder, alertmanager=alertmanager)
    write_targets(folder, targets)
    for path in folder.glob("*.yml"):
        path.write_text(_quickened(path.read_text()))
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
            try:
                return httpx.get(f"{url}/-/ready").is_success
            except httpx.TransportError:
                return False

        until(ready, f"{command[0]} is ready")
        yield url, process


def _quickened(text: str) -> str:
    for pattern, instead in QUICK:
        text = re.sub(pattern, instead, text)
    return text
