"""The two systems outside, as real processes, for tests that need them: a CalDAV server and a CRM."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

from deploy.local.ports import any_free

COMMAND = (sys.executable, "-m", "services.ingest.connectors.caldav_crm")
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Outside:
    """The two systems, running and set up."""

    state_dir: Path
    crm_url: str
    caldav_url: str

    def environment(self) -> dict[str, str]:
        """What a command of the connector needs to find them."""
        return os.environ | {
            "STATE_DIR": str(self.state_dir),
            "CRM_DATABASE_URL": self.crm_url,
            "CALDAV_URL": self.caldav_url,
        }


@contextmanager
def running_outside(postgres: str, state_dir: Path) -> Iterator[Outside]:
    """Run Radicale by our own command, with a CRM laid by our own set-up, twice: it must be safe to repeat."""
    port, metrics_port = any_free(), any_free()
    crm_url = urlunsplit(urlsplit(postgres)._replace(path=f"/crm_{secrets.token_hex(4)}"))
    there = Outside(state_dir, crm_url, f"http://127.0.0.1:{port}/")
    environment = there.environment() | {"PORT": str(port), "METRICS_PORT": str(metrics_port)}
    with process([*COMMAND, "radicale"], environment) as server:
        wait_until_ready(server, metrics_port)
        for _ in range(2):
            subprocess.run([*COMMAND, "setup"], env=environment, check=True, timeout=60)
        yield there


@contextmanager
def process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, and end it as a supervisor would: by SIGTERM. It must follow; a busy machine gets more time."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as running:
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(60)
            except subprocess.TimeoutExpired:
                running.kill()
                raise


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until /ready says so."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, "the process ended"
        try:
            with urlopen(f"http://127.0.0.1:{port}/ready", timeout=10) as answer:
                assert answer.status == 200
                return
        except (HTTPError, URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise AssertionError("the process did not become ready")
