"""The browser tests: a service over the small world, and Chromium driven by Node scripts that tell what they saw."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from tests.rig import parts

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
LONGEST_S: Final = 600


@dataclass(frozen=True, slots=True)
class Site:
    """Where the service is, who may sign in, and the database behind it."""

    base: str
    owner_url: str
    people: dict[str, dict[str, str]]
    now: str

    async def fetch(self, sql: str, *bound: Any) -> list[Any]:
        """Ask Postgres, as its owner."""
        connection = await asyncpg.connect(self.owner_url)
        try:
            return list(await connection.fetch(sql, *bound))
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def site(postgres: str) -> Iterator[Site]:
    """The service, once for all browser tests."""
    command = [sys.executable, "-m", "tests.browser.server", postgres]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the service did not start"
        try:
            yield Site(**json.loads(line))
        finally:
            process.terminate()
            process.wait(60)


Browse = Callable[..., dict[str, Any]]
Script = Callable[[str, str, str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def node() -> Path:
    """Node with the packages of `package-lock.json` installed (`npm ci` in tests/browser)."""
    found = parts.program("node")
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        parts.missing("the Node packages of tests/browser (npm ci)")
    return found


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser, once for all."""
    return parts.program("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def run_script(node: Path, chromium: Path) -> Script:
    """Run one script in Chromium at an address, with a cookie and what it is given; return what it saw.

    No CSP report, no script error.
    """

    def run(script: str, base: str, cookie: str, given: dict[str, Any]) -> dict[str, Any]:
        environment = {
            **os.environ, "CHROMIUM": str(chromium), "BASE": base, "COOKIE": cookie, "GIVEN": json.dumps(given),
        }  # fmt: skip
        done = subprocess.run(
            [str(node), str(HERE / "run.mjs"), script], env=environment, cwd=HERE, capture_output=True, text=True,
            timeout=LONGEST_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-2000:]
        seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        assert seen.pop("reports") == [], "the page broke its content security policy, or a script failed"
        return seen

    return run


@pytest.fixture(scope="session")
def browse(site: Site, run_script: Script) -> Browse:
    """Run one script over the small world as a person of some role; return what it saw."""

    def run(script: str, role: str = "support", **given: Any) -> dict[str, Any]:
        return run_script(script, site.base, site.people[role]["cookie"], {"people": site.people, **given})

    return run


@contextmanager
def once_read(ready: Path, happen: Callable[[], Coroutine[Any, Any, Any]]) -> Iterator[None]:
    """Let something happen as soon as the script has read its page and made the file `ready`."""
    ended = threading.Event()

    def wait() -> None:
        while not ready.exists() and not ended.wait(0.1):
            pass
        if ready.exists():
            asyncio.run(happen())

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
