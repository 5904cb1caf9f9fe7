"""Vendored files are those of the named packages, unchanged."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
VENDOR: Final = ROOT / "services/query/panel/static/vendor"
PACKAGES: Final = ROOT / "tests/browser/node_modules"
LISTED: Final = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (VENDOR / "VENDORED.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| file")
]


def test_every_vendored_file_is_listed() -> None:
    assert {row[0] for row in LISTED} == {file.name for file in VENDOR.iterdir()} - {"VENDORED.md"}


@pytest.mark.parametrize("row", LISTED, ids=lambda row: row[0])
def test_a_vendored_file_is_unchanged(row: list[str]) -> None:
    name, package, _, _, path, digest = row
    content = (VENDOR / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest
    original = PACKAGES / package / path
    if original.exists():
        assert original.read_bytes() == content
