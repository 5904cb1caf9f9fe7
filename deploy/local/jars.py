"""Kafka's jars: exactly those of our lock, each checked by its sha256 before it is ever run."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Final

from deploy.local.refusals import BadInput, CannotRun

LOCK: Final = Path(__file__).with_name("kafka.lock.txt")
AT_ONCE: Final = 8
OFFER: Final = "set KAFKA_BOOTSTRAP to a Kafka that runs, or KAFKA_JARS to a folder with Kafka's jars"


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


Fetch = Callable[[Jar, Path], Path]
"""Fetches one jar into a folder of its own and returns the file; raises any Exception where it cannot."""


def locked(text: str | None = None) -> list[Jar]:
    """Return the lock's jars: one `group:artifact:version sha256` a line."""
    lines = (LOCK.read_text() if text is None else text).splitlines()
    return [_jar(line) for line in lines if line.strip()]


def _jar(line: str) -> Jar:
    coordinates, sha256 = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, sha256)


def of_folder(folder: Path) -> list[Path]:
    """Return the jars of a folder that the user names with KAFKA_JARS; what is in it is the user's choice."""
    found = sorted(folder.glob("*.jar"))
    if not any(path.name.startswith("kafka_2.13-") for path in found):
        raise BadInput(f"KAFKA_JARS={folder} holds no jars of an Apache Kafka broker (kafka_2.13-….jar).")
    return found


def ensure(
    cache: Path, fetch: Fetch | None = None, lock: Sequence[Jar] | None = None, say: Callable[[str], None] = print
) -> list[Path]:
    """Return every jar of the lock in `cache`, fetching what is missing or differs from its sha256.

    A fetched jar that differs is thrown away and fetched once more; then CannotRun: nothing unchecked is ever used.
    """
    jars = locked() if lock is None else lock
    cache.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in jars if not is_right(cache / jar.file_name, jar)]
    if missing:
        say(f"Fetching {len(missing)} of {len(jars)} jars of Apache Kafka from Maven Central into {cache}")
        with ThreadPoolExecutor(AT_ONCE) as threads:
            use = fetch or by_jgo()
            list(threads.map(lambda jar: _bring(jar, cache, use), missing))
    return [cache / jar.file_name for jar in jars]


def is_right(path: Path, jar: Jar) -> bool:
    """Whether the file is there and is the one that the lock means."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _bring(jar: Jar, cache: Path, fetch: Fetch) -> None:
    for _ in range(2):
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder:
            try:
                fetched = fetch(jar, Path(folder))
            except Exception as error:  # jgo's own, and those of the library below it
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    raise
                raise _unreachable(jar, error) from error
            if is_right(fetched, jar):
                os.replace(shutil.copyfile(fetched, Path(folder) / "checked"), cache / jar.file_name)
                return
    raise CannotRun(f"{jar.file_name} came twice with another sha256 than our lock's: it is not used; {OFFER}.")


def _unreachable(jar: Jar, error: Exception) -> CannotRun:
    return CannotRun(f"{jar.file_name} cannot be fetched (is there a network? {type(error).__name__}): {OFFER}.")


def by_jgo() -> Fetch:
    """Return how jgo fetches one jar alone: its own resolving takes a wrong kafka-clients, its default may call mvn."""
    from jgo.maven import MavenContext, PythonResolver

    logging.getLogger("jgo").setLevel(logging.CRITICAL)

    def fetch(jar: Jar, folder: Path) -> Path:
        context = MavenContext(resolver=PythonResolver(), repo_cache=folder, timeout=60)
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        return Path(component.artifact(classifier="", packaging="jar").resolve())

    return fetch
