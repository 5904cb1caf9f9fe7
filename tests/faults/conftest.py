"""A pipeline for each test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Topics
from tests.faults.workers import Pipeline, running_pipeline
from tests.rig.databases import Database


@pytest.fixture
async def pipeline(database: Database, topics: Topics, tmp_path: Path) -> AsyncIterator[Pipeline]:
    """A private database and private topics, and workers as the test starts them."""
    async with running_pipeline(database, topics.bootstrap, topics.prefix, tmp_path) as pipeline:
        yield pipeline


@pytest.fixture
def rounds() -> int:
    """How often a fault is repeated: `./run faults` sets FAULT_ROUNDS, `./run test` has time for one."""
    return int(os.environ.get("FAULT_ROUNDS", "1"))
