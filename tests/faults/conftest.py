"""A pipeline for each test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Topics
from tests.faults.workers import Pipeline, running_pipeline
from tests.rig.databases import Database

LOG_LINES = 40


@pytest.fixture
async def pipeline(database: Database, topics: Topics, tmp_path: Path) -> AsyncIterator[Pipeline]:
    """A private database and private topics, and workers as the test starts them."""
    async with running_pipeline(database, topics.bootstrap, topics.prefix, tmp_path) as pipeline:
        yield pipeline


@pytest.fixture
def rounds() -> int:
    """How often a fault is repeated: `./run faults` sets FAULT_ROUNDS, `./run test` has time for one."""
    return int(os.environ.get("FAULT_ROUNDS", "1"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show beside a failure what its workers said last: why one died or stands still is told nowhere else."""
    report = yield
    pipeline: Any = getattr(item, "funcargs", {}).get("pipeline")
    if report.failed and pipeline is not None:
        for worker in pipeline.workers:
            if worker.process is not None:
                last = "\n".join(worker.log.splitlines()[-LOG_LINES:])
                report.sections.append((f"worker {worker.name}, exit code {worker.process.poll()}", last))
    return report
