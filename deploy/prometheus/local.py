"""Prometheus on this machine: its files and its command line."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
FILES: Final = ("prometheus.yml", "recording.yml", "alerts.yml")
RETENTION: Final = "35d"
"""Four weeks that an hour is compared with, and some days more."""


def lay_out_prometheus(folder: Path, *, alertmanager: str | None) -> None:
    """Write what Prometheus reads into `folder`, but for the targets. `alertmanager` is "host:port", or None."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / name).write_bytes((HERE / name).read_bytes())
    groups = [] if alertmanager is None else [{"targets": [alertmanager]}]
    _write_whole(folder / "alertmanagers" / "local.json", json.dumps(groups))


def write_targets(folder: Path, targets: Mapping[str, Sequence[str]]) -> None:
    """Say what is scraped: "host:port" of each process by job. A running Prometheus sees the change by itself."""
    groups = [{"targets": list(addresses), "labels": {"job": job}} for job, addresses in targets.items() if addresses]
    _write_whole(folder / "targets" / "local.json", json.dumps(groups, indent=1))


def prometheus_command(binary: str, folder: Path, *, port: int) -> list[str]:
    """Return the command line of a Prometheus on loopback, its data in `folder`."""
    return [
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=expand-external-labels",
        "--log.level=warn",
    ]


def prometheus_environment(*, panel: str, runbook: str) -> dict[str, str]:
    """Return the variables that links in alerts begin with: the panel's address, and where the runbook is read."""
    return {"SYNCWATCH_PANEL_URL": panel.rstrip("/"), "SYNCWATCH_RUNBOOK_URL": runbook}


def _write_whole(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
