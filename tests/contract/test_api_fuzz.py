"""Every parameter of every operation, fuzzed from the OpenAPI document: no 500, nothing that it does not know."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from schemas.keys import session_key
from services.query.api.document import document
from tests.integration.query.conftest import serving
from tests.rig import databases
from tests.rig.seed import Plan, organization_id, seed, user_id

EXAMPLES = 8
"""Of each operation; a longer run finds more."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@dataclass(slots=True)
class Live:
    """A query service in a thread of its own, with its own loop, as schemathesis calls from outside of any."""

    postgres: str
    url: str = ""
    key: str = ""
    session: str = ""
    problem: BaseException | None = None
    started: threading.Event = field(default_factory=threading.Event)
    server: uvicorn.Server | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as problem:
            self.problem = problem
            self.started.set()
            raise

    async def _serve(self) -> None:
        now = datetime.now(UTC)
        async with databases.fresh(self.postgres) as database, serving(database, lambda: now) as service:
            async with database.connect() as connection:
                await seed(connection, Plan(now=now, organizations=2, users=2, sessions=3))
                row = await connection.fetchrow("SELECT started_at, session_id FROM sync_session LIMIT 1")
            assert row is not None
            self.session = session_key(row["started_at"], row["session_id"])
            self.key = await service.key("platform_admin")
            self.server = uvicorn.Server(uvicorn.Config(service.app, port=0, lifespan="off", log_config=None))
            serving_it = asyncio.ensure_future(self.server.serve())
            while not self.server.started:
                await asyncio.sleep(0.01)
            port = self.server.servers[0].sockets[0].getsockname()[1]
            self.url = f"http://127.0.0.1:{port}/api/v1"
            self.started.set()
            await serving_it


@contextmanager
def live(postgres: str) -> Iterator[Live]:
    it = Live(postgres)
    thread = threading.Thread(target=it.run, name="query service under fuzz")
    thread.start()
    assert it.started.wait(60)
    assert it.problem is None
    try:
        yield it
    finally:
        assert it.server is not None
        it.server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def api(postgres: str) -> Iterator[Live]:
    with live(postgres) as it:
        yield it


SEEN: Counter[int] = Counter()
SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {f"{each.ok().method.upper()} {each.ok().path}": each.ok() for each in SCHEMA.get_all_operations()}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", list(OPERATIONS))
def test_q13_no_parameter_breaks_an_answer(api: Live, name: str) -> None:
    operation: Any = OPERATIONS[name]
    known = {
        "organization": str(organization_id(0)),
        "user": str(user_id(0, 1)),
        "key": api.session,
        "id": str(organization_id(0)),
    }

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(), real=st.booleans())
    def ask(case: Any, real: bool) -> None:
        if real:
            case.path_parameters = {each: known[each] for each in case.path_parameters or {}}
        answer = case.call(base_url=api.url, headers={"authorization": f"Bearer {api.key}"})
        SEEN[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()


def test_q13_the_fuzz_reached_answers_and_refusals(api: Live) -> None:
    if sum(SEEN.values()) >= EXAMPLES * len(OPERATIONS) // 2:  # not where single operations were chosen
        assert {200, 400, 404} <= SEEN.keys()
