"""`./run check`: format, lint, types, import rules, SQL and alert rules, each by its own tool."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
NPM = ROOT / "tests" / "browser" / "node_modules" / ".bin"
RULES = ("recording.yml", "alerts.yml")


def checks() -> Iterator[tuple[str, list[str | Path]]]:
    """Give each check's name and command, but for those whose program this machine lacks."""
    yield "format", [BIN / "ruff", "format", "--check", "."]
    yield "lint", [BIN / "ruff", "check", "."]
    yield "types", [BIN / "mypy"]
    yield "import rules", [BIN / "lint-imports"]
    yield "migrations", [BIN / "squawk", *sorted((ROOT / "schemas" / "sql" / "migrations").glob("*.sql"))]
    yield from _of_the_machine()


def _of_the_machine() -> Iterator[tuple[str, list[str | Path]]]:
    if (NPM / "tsc").exists():
        yield "page modules", [NPM / "tsc", "-p", ROOT / "tests" / "browser" / "tsconfig.json"]
    if shutil.which("promtool"):
        yield "alert rules", ["promtool", "check", "rules", *(ROOT / "deploy" / "prometheus" / name for name in RULES)]
    if shutil.which("shellcheck"):
        yield "shell", ["shellcheck", ROOT / "run", ROOT / ".ci" / "run"]


def main() -> int:
    """Run all, show what those that fail say, and return 1 if any does."""
    failed = []
    for name, command in checks():
        told = subprocess.run(
            [str(part) for part in command], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
        )
        print(f"{'good  ' if told.returncode == 0 else 'FAILED'}  {name}", flush=True)
        if told.returncode != 0:
            failed.append(name)
            print(told.stdout + told.stderr, flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all checks are good")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
