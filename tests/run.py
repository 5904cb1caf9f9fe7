"""`./run test`: every test, what needs least first. Arguments are pytest's and take the place of the folders."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ORDER = ("unit", "contract", "integration", "faults", "browser")


def folders() -> list[str]:
    """Return the folders that hold tests, in the order in which to run them; a new folder comes last."""
    tests = (path.relative_to(HERE).parts for path in HERE.glob("*/**/test_*.py"))
    found = {parts[0] for parts in tests if "node_modules" not in parts}
    return [str(HERE / name) for name in sorted(found, key=lambda name: (_rank(name), name))]


def _rank(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def arguments(given: list[str]) -> list[str]:
    """Return pytest's arguments: those given, and all folders where they name no test."""
    return given if any(not each.startswith("-") for each in given) else [*given, *folders()]


if __name__ == "__main__":
    sys.exit(pytest.main(arguments(sys.argv[1:])))
