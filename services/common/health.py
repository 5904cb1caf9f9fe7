"""Alive, ready and metrics of one process, served from a thread of its own, so that a busy loop still answers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


class Health:
    """The named checks of one process. Ready means that no check has a problem."""

    def __init__(self, *awaited: str) -> None:
        """Start with a check for each of `awaited`, with a problem until it is first set."""
        self._lock = threading.Lock()
        self._problems: dict[str, str | None] = dict.fromkeys(awaited, "not checked yet")

    def set(self, name: str, problem: str | None) -> None:
        """Say what is wrong with `name`, or None when it works."""
        with self._lock:
            self._problems[name] = problem

    def problems(self) -> Mapping[str, str]:
        """Return what is wrong, by check; empty when ready."""
        with self._lock:
            return {name: problem for name, problem in self._problems.items() if problem is not None}


class HealthServer:
    """A running server of /alive, /ready and /metrics; close it, or leave it as a context manager."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.port = int(server.server_address[1])
        self._thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(port: int, registry: CollectorRegistry, health: Health, host: str = "127.0.0.1") -> HealthServer:
    """Serve `/metrics`, `/alive` (200 as long as the process lives) and `/ready` (503 names every failed check).

    Port 0 takes a free one; the answer's `port` says which. Raises OSError where the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._answer(200, content_type, encode(registry))
            elif path == "/alive":
                self._answer(200, "application/json", orjson.dumps({"alive": True}))
            elif path == "/ready":
                problems = health.problems()
                body = orjson.dumps({"ready": not problems, "problems": problems})
                self._answer(503 if problems else 200, "application/json", body)
            else:
                self._answer(404, "text/plain; charset=utf-8", b"There are /metrics, /alive and /ready.\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a scrape every few seconds is no news."""

    return HealthServer(_Server((host, port), Handler))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that went away in the middle of an answer is no fault of ours."""
