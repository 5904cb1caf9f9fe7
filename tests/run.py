"""`./run test`: every test, two files at once. Arguments are pytest's; where they name tests, those run one by one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def folders() -> list[str]:
    """Return the folders that hold tests."""
    tests = (path.relative_to(HERE).parts for path in HERE.glob("*/**/test_*.py"))
    found = {parts[0] for parts in tests if "node_modules" not in parts}
    return [str(HERE / name) for name in sorted(found)]


def arguments(given: list[str]) -> list[str]:
    """Return pytest's arguments: those given, and all folders where they name no test."""
    if any(not each.startswith("-") for each in given):
        return given
    # Each process has a Kafka and a Postgres of its own: more than two would take more memory than a laptop can spare.
    at_once = min(2, os.cpu_count() or 1)
    return [f"--numprocesses={at_once}", "--dist=loadfile", *given, *folders()]


if __name__ == "__main__":
    sys.exit(pytest.main(arguments(sys.argv[1:])))
