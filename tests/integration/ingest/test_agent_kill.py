"""A2, A5: a connector that is killed at any point loses nothing it was told is accepted, whatever answers were lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from schemas.events import SessionStatus, decode
from services.ingest.agent import HttpTransport, Reporter
from services.ingest.agent.transport import NotNow, Outcome
from tests.integration.ingest.conftest import Rig

ROOT = Path(__file__).parents[3]
AGENT = """
import asyncio, os, sys
from uuid import UUID, uuid4
from services.ingest.agent import HttpTransport, Reporter

async def main():
    reporter = Reporter(
        HttpTransport(os.environ["GATEWAY_URL"], os.environ["AGENT_TOKEN"]), agent_id="agent-1",
        organization_id=UUID(os.environ["ORGANIZATION_ID"]), spool_path=os.environ["SPOOL"], version="1", spread_s=0.1,
    )
    async with reporter:
        while True:
            async with reporter.session(uuid4()) as session:
                for number in range(3):
                    session.issue(object_type="email", object_name=str(number), direction="mail_to_crm",
                                  operation="create", error_code=1)
                print("started", session.session_id, flush=True)
            print("ended", session.session_id, flush=True)

asyncio.run(main())
"""


async def test_a2_what_was_accepted_before_a_kill_arrives(
    rig: Rig, url: str, records: Callable[..., Any], tmp_path: Path
) -> None:
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GATEWAY_URL": url, "AGENT_TOKEN": rig.own.token,
        "ORGANIZATION_ID": str(rig.own.organization_id), "SPOOL": str(tmp_path / "spool.db"),
    }  # fmt: skip
    started: set[str] = set()
    ended: set[str] = set()
    for _ in range(4):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", AGENT, env=environment, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        async with asyncio.timeout(60):
            lines = [await process.stdout.readline() for _ in range(random.randint(3, 12))]
            process.send_signal(signal.SIGKILL)
            rest, _ = await process.communicate()
        for line in b"".join([*lines, rest]).decode().splitlines():
            word, session_id = line.split()
            (started if word == "started" else ended).add(session_id)
    reporter = Reporter(
        HttpTransport(url, rig.own.token), agent_id="agent-1", organization_id=rig.own.organization_id,
        spool_path=tmp_path / "spool.db", version="1",
    )  # fmt: skip
    async with reporter:
        assert await reporter.drained(60)
    stored = [decode(record.value).data for record in await records("syncwatch.events")]
    begun = {str(data.session_id) for data in stored}
    over = {
        str(data.session_id)
        for data in stored
        if getattr(data, "status", SessionStatus.RUNNING) is not SessionStatus.RUNNING
    }
    assert started
    assert started <= begun
    assert ended <= over
    for data in stored:
        if str(data.session_id) in ended and getattr(data, "status", None) is SessionStatus.FINISHED_WITH_ISSUES:
            arrived = {
                each.issue_id for each in stored if each.session_id == data.session_id and hasattr(each, "issue_id")
            }
            assert data.issues_sent == len(arrived) == 3


class Forgetful(HttpTransport):
    """Loses the first answer and every third after it, once the gateway has given it."""

    calls = 0

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        outcomes = await super().send(values)
        self.calls += 1
        if self.calls % 3 == 1:
            raise NotNow("the answer was lost", 0.0)
        return outcomes


async def test_a5_lost_answers_bring_the_same_events_again_and_no_others(
    rig: Rig, url: str, records: Callable[..., Any], tmp_path: Path
) -> None:
    reporter = Reporter(
        Forgetful(url, rig.own.token), agent_id="agent-1", organization_id=rig.own.organization_id,
        spool_path=tmp_path / "spool.db", version="1", spread_s=0.05,
    )  # fmt: skip
    users = [uuid4() for _ in range(8)]
    async with reporter:
        for user in users:
            async with reporter.session(user):
                pass
        assert await reporter.drained(60)
        assert reporter.figures().acknowledged == {"session": 16}
    stored = [record.value for record in await records("syncwatch.events")]
    assert len(stored) > 16
    assert len(set(stored)) == 16
    assert {decode(value).data.user_id for value in stored} == set(users)
