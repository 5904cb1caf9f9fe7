"""What a human is told, and how often: real rules, a real Prometheus and Alertmanager, a webhook that counts.

What the alerting rule reads is given by the test; minutes are seconds, as `tests.rig.watching` says.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

from deploy.alertmanager.local import BINARIES
from deploy.local.ports import any_free
from deploy.prometheus.local import HERE
from services.aggregator.gauges import LeaderGauges
from services.common.health import Health, serve
from tests.rig.watching import Alertmanager, alertmanager, prometheus, until

# The windows of the real records are minutes long; these say at once what the test wants them to say.
RECORDING: Final = """
groups:
  - name: syncwatch-sessions
    rules:
      - {record: "cause_window:syncwatch_sessions_failed:share", expr: "spike * 0.4", labels: {window: 10m}}
      - {record: "cause_window:syncwatch_sessions_failed:share_low", expr: "spike * 0.3", labels: {window: 10m}}
      - {record: "cause_window:syncwatch_sessions_failed:increase", expr: "spike * 40", labels: {window: 10m}}
      - {record: "window:syncwatch_sessions_ended:increase", expr: "vector(100)", labels: {window: 10m}}
      - {record: "cause:syncwatch_sessions_failed:limit", expr: "spike * 0 + 0.05"}
"""


CAUSE: Final = ("calendar", "connectivity")


def recording() -> str:
    """Return RECORDING with the real records of what only the leader knows."""
    records = yaml.safe_load((HERE / "recording.yml").read_text())["groups"]
    of_leader = [
        rule for group in records for rule in group["rules"] if rule["record"].startswith("cause:syncwatch_failing_")
    ]
    return RECORDING + "".join(f"      - {json.dumps(rule)}\n" for rule in of_leader)


class Share:
    """Whether the error share of one cause is over its limit."""

    def __init__(self) -> None:
        self.high = False

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield 1 while it is."""
        family = GaugeMetricFamily("spike", "", labels=["error_source", "error_category"])
        family.add_metric(CAUSE, self.high)
        yield family


class Inbox:
    """The notices about error spikes, in the order they came."""

    def __init__(self) -> None:
        self.notices: list[dict[str, Any]] = []

    def told(self, status: str) -> int:
        """Return how many notices said `status`: firing or resolved."""
        return sum(notice["status"] == status for notice in self.notices)


@contextmanager
def receiving(inbox: Inbox) -> Iterator[str]:
    """Receive Alertmanager's webhooks into `inbox`; yields the address to send them to."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            notice = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if notice["groupLabels"]["alertname"] == "ErrorSpike":
                inbox.notices.append(notice)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/alerts"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def flap(share: Share, seconds: float) -> None:
    """Let the share cross its limit to and fro, above it long enough to fire; it ends above."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        share.high = False
        time.sleep(2.5)
        share.high = True
        time.sleep(4)


def test_c31_l12_flapping_a_reload_and_a_restart_tell_nothing_twice(
    program: Callable[..., Path], tmp_path: Path
) -> None:
    figures, notices = program("prometheus"), program(*BINARIES)
    share, inbox, port = Share(), Inbox(), any_free()
    registry = CollectorRegistry()
    registry.register(share)
    with ExitStack() as parts:
        exporter = parts.enter_context(serve(0, registry, Health()))
        webhook = parts.enter_context(receiving(inbox))
        targets = {"aggregator": [f"127.0.0.1:{exporter.port}"]}
        with alertmanager(notices, tmp_path / "alertmanager", port=port, webhook=webhook) as first:
            parts.enter_context(
                prometheus(figures, tmp_path / "prometheus", targets, f"127.0.0.1:{port}", recording=RECORDING)
            )
            flap(share, 13)
            until(lambda: inbox.told("firing"), "the first notice")
            os.kill(first.process.pid, signal.SIGHUP)
            flap(share, 6)
        parts.enter_context(alertmanager(notices, tmp_path / "alertmanager", port=port, webhook=webhook))
        flap(share, 13)
        assert (inbox.told("firing"), inbox.told("resolved")) == (1, 0)

        share.high = False
        until(lambda: inbox.told("resolved"), "the end of the first spike")
        assert (inbox.told("firing"), inbox.told("resolved")) == (1, 1)

        share.high = True
        until(lambda: inbox.told("firing") == 2, "a notice of the second spike")
        assert inbox.told("resolved") == 1
        assert (
            inbox.notices[0]["groupLabels"]
            == inbox.notices[-1]["groupLabels"]
            == {
                "alertname": "ErrorSpike",
                "error_source": "calendar",
                "error_category": "connectivity",
            }
        )


def test_c08_c31_one_notice_grows_from_one_organization_to_fifty(program: Callable[..., Path], tmp_path: Path) -> None:
    """What grows is the alert behind the notice: its figures are renewed while it fires, and nobody is told again."""
    figures, notices = program("prometheus"), program(*BINARIES)
    share, inbox, port = Share(), Inbox(), any_free()
    registry = CollectorRegistry()
    registry.register(share)
    leader = LeaderGauges(registry)
    leader.lead()
    leader.show_failing({CAUSE: (5, 1)})
    with ExitStack() as parts:
        exporter = parts.enter_context(serve(0, registry, Health()))
        webhook = parts.enter_context(receiving(inbox))
        teller = parts.enter_context(alertmanager(notices, tmp_path / "alertmanager", port=port, webhook=webhook))
        targets = {"aggregator": [f"127.0.0.1:{exporter.port}"]}
        parts.enter_context(
            prometheus(figures, tmp_path / "prometheus", targets, f"127.0.0.1:{port}", recording=recording())
        )
        share.high = True
        until(lambda: told_of(teller) == ["5 users of 1 organization fail of it now."], "one organization fails")
        until(lambda: inbox.told("firing"), "the notice")
        for organizations in (2, 20, 50):
            leader.show_failing({CAUSE: (5 * organizations, organizations)})
            words = f"{5 * organizations} users of {organizations} organizations fail of it now."
            until(lambda words=words: told_of(teller) == [words], words)
        assert (inbox.told("firing"), inbox.told("resolved")) == (1, 0)
        share.high = False
        leader.show_failing({})
        until(lambda: inbox.told("resolved"), "the end")
    assert (inbox.told("firing"), inbox.told("resolved")) == (1, 1)
    first, last = (notice["alerts"] for notice in inbox.notices)
    assert (len(first), len(last)) == (1, 1)
    assert first[0]["labels"] == last[0]["labels"]
    assert first[0]["fingerprint"] == last[0]["fingerprint"]
    assert "5 users of 1 organization " in first[0]["annotations"]["description"]
    assert "250 users of 50 organizations " in last[0]["annotations"]["description"]


def told_of(teller: Alertmanager) -> list[str]:
    """Return how many fail, as each alert of an error spike says it now."""
    said = [alert["annotations"]["description"] for alert in teller.alerts("ErrorSpike")]
    return [description.rpartition(". ")[2] for description in said]
