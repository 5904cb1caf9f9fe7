"""The examples of docs/agents.md are run as they stand there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.events import decode
from tests.integration.ingest.conftest import Rig, add_token

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "agents.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


async def run(rig: Rig, url: str, *command: str, **environment: str) -> tuple[int | None, str]:
    env = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GATEWAY_URL": url,
        "ORGANIZATION_ID": str(rig.own.organization_id), "NOW": datetime.now(UTC).isoformat(), **environment,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_the_curl_example_is_accepted(
    rig: Rig, url: str, records: Callable[..., Any], program: Callable[..., Path]
) -> None:
    program("curl")
    code, output = await run(rig, url, "sh", "-c", block("sh"), AGENT_TOKEN=rig.own.token)
    assert code == 0
    assert '{"accepted":1}' in output
    assert len(await records("syncwatch.events")) == 1


async def test_the_python_example_reports_a_session(
    rig: Rig, url: str, records: Callable[..., Any], tmp_path: Path, database: Any
) -> None:
    token = await add_token(database, rig.own.organization_id, agent_id="my-agent")
    script = tmp_path / "agent.py"
    script.write_text(block("python"))
    code, output = await run(rig, url, sys.executable, str(script), SPOOL=str(tmp_path / "spool.db"), AGENT_TOKEN=token)
    assert (code, output) == (0, "")
    kinds = Counter(decode(record.value).type for record in await records("syncwatch.events"))
    assert kinds == {"syncwatch.directory.v1": 1, "syncwatch.session.v1": 2, "syncwatch.issue.v1": 1}
    assert len(await records("syncwatch.logs")) == 1
    assert len(await records("syncwatch.heartbeats")) == 1
