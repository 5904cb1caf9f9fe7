"""Every parameter of every operation, fuzzed from the OpenAPI document: no 500, nothing that it does not know.

What is generated from the document alone is mostly refused before it reaches a query: of 144 lists, 23 were answered,
7 of them with any parameter. So each operation is also asked what is meant, and must answer: filters of every column,
orders and places.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
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

from schemas.columns import LISTS, Column, ListView, Type
from schemas.keys import session_key
from services.query.api.document import document
from tests.integration.query.conftest import serving
from tests.rig import databases
from tests.rig.samples import samples
from tests.rig.seed import Plan, organization_id, seed, user_id

EXAMPLES = 8
"""Of each operation; a longer run finds more."""
SHARES = 4
"""In so many requests, each column of a list is filtered by once."""
MEANINGS = 2
"""Of each part, and of each other operation."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@dataclass(slots=True)
class Live:
    """A query service in a thread of its own, with its own loop, as schemathesis calls from outside of any."""

    postgres: str
    url: str = ""
    key: str = ""
    session: str = ""
    export: str = ""
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
                await seed(connection, Plan(now=now, organizations=2, users=3, sessions=8))
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
        it.export = httpx.get(f"{it.url}/users.csv", headers=authorized(it)).headers["syncwatch-export-id"]
        yield it


SEEN: dict[str, Counter[int]] = {}
"""By operation: how often it answered with which status."""
FILTERED: dict[str, set[str]] = {}
"""By operation of a list: the columns by which it was filtered and answered."""
SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {f"{each.ok().method.upper()} {each.ok().path}": each.ok() for each in SCHEMA.get_all_operations()}
VIEWS = {
    name: LISTS[listed]
    for name, each in OPERATIONS.items()
    if (listed := each.definition.raw["operationId"].removesuffix("_csv")) in LISTS
}
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
MEANT = settings(FUZZ, max_examples=MEANINGS)


def known(api: Live) -> dict[str, str]:
    """Return what there is, by the name of a parameter in paths."""
    organization, user = str(organization_id(0)), str(user_id(0, 1))
    return {"organization": organization, "user": user, "key": api.session, "id": api.export}


def authorized(api: Live) -> dict[str, str]:
    return {"authorization": f"Bearer {api.key}"}


def call(api: Live, name: str, case: Any) -> Any:
    """Ask, and hold the answer against the document."""
    answer = case.call(base_url=api.url, headers=authorized(api))
    SEEN.setdefault(name, Counter())[answer.status_code] += 1
    case.validate_response(answer, checks=CHECKS)
    return answer


def meant(api: Live, name: str, query: dict[str, Any], held: dict[str, str]) -> Any:
    """Ask what must be answered."""
    operation: Any = OPERATIONS[name]
    wanted = {each.name: held[each.name] for each in operation.path_parameters}
    answer = call(api, name, operation.Case(path_parameters=wanted, query=query))
    assert answer.status_code in (200, 204), (query, answer.text)
    return answer


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", list(OPERATIONS))
def test_q13_no_parameter_breaks_an_answer(api: Live, name: str) -> None:
    operation: Any = OPERATIONS[name]
    held = known(api)

    @FUZZ
    @given(case=operation.as_strategy(), real=st.booleans())
    def ask(case: Any, real: bool) -> None:
        if real:
            case.path_parameters = {each: held[each] for each in case.path_parameters or {}}
        call(api, name, case)

    ask()


# ---------------------------------------------------------------------------------------------- what is meant
ZONES = st.sampled_from(("UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia"))
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60)
SINCE = st.sampled_from(("2026-11-01", "2020-01-01T00:00:00Z"))


def written(column: Column) -> st.SearchStrategy[str]:
    """Return filters of a column that are understood; where any text is one, any text."""
    plain = st.sampled_from(samples(column))
    if column.type not in (Type.TEXT, Type.OPEN_LIST, Type.REPORT):
        return plain
    return plain | st.builds(
        lambda sign, text: f"{sign}a{text}", st.sampled_from(("", "eq:", "not:", "not:eq:")), WORDS
    )


@st.composite
def shown(draw: st.DrawFn, view: ListView) -> dict[str, Any]:
    """Draw an order of one to three columns, columns, a zone and a limit of a list."""
    sortable = [column.name for column in view.columns if column.sorts(masked=False)]
    order = draw(st.lists(st.sampled_from(sortable), min_size=1, max_size=3, unique=True))
    columns = draw(st.lists(st.sampled_from([column.name for column in view.columns]), min_size=1, unique=True))
    return {
        "sort": ",".join(draw(st.sampled_from(("", "-"))) + each for each in order),
        "columns": ",".join(columns), "tz": draw(ZONES), "limit": draw(st.integers(1, 500)),
    }  # fmt: skip


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", list(VIEWS))
def test_q13_filters_of_every_column_are_answered(api: Live, name: str, share: int) -> None:
    view, held = VIEWS[name], known(api)
    columns = view.columns[share::SHARES]

    @MEANT
    @given(shown(view), st.fixed_dictionaries({column.name: written(column) for column in columns}))
    def ask(look: dict[str, Any], filters: dict[str, str]) -> None:
        meant(api, name, look | filters, held)

    ask()
    FILTERED.setdefault(name, set()).update(column.name for column in columns)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", [name for name in VIEWS if not name.endswith(".csv")])
def test_q13_places_in_every_order_are_answered(api: Live, name: str) -> None:
    held = known(api)

    @MEANT
    @given(shown(VIEWS[name]))
    def ask(look: dict[str, Any]) -> None:
        look["limit"] = 1
        first = meant(api, name, look, held).json()
        second = meant(api, name, look | {"cursor": first["next"]}, held).json()
        back = meant(api, name, look | {"cursor": second["previous"]}, held).json()
        assert back["rows"] == first["rows"] != []

    ask()


def others(name: str, held: dict[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    """Return queries of an operation that is no list."""
    small = st.integers(0, 5000)
    values: dict[str, st.SearchStrategy[Any]] = {
        "organization": st.just(held["organization"]), "hours": st.integers(1, 720), "q": WORDS, "tz": ZONES,
        "from": SINCE, "limit": st.integers(1, 5000), "level": st.sampled_from(("error", "warning,info")),
        "source": st.sampled_from(("mail", "crm,engine")),
    }  # fmt: skip
    has: set[str] = {each.name for each in OPERATIONS[name].query}
    places = [st.fixed_dictionaries({each: small}) for each in ("after", "before", "tail") if each in has]
    query = st.fixed_dictionaries({}, optional={each: values[each] for each in values.keys() & has})
    return st.builds(dict[str, Any].__or__, query, st.one_of(st.just({}), *places))


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in VIEWS])
def test_q13_what_is_meant_is_answered(api: Live, name: str) -> None:
    held = known(api)

    @MEANT
    @given(others(name, held))
    def ask(query: dict[str, Any]) -> None:
        meant(api, name, query, held)

    ask()


def test_q13_the_fuzz_reached_answers_of_every_operation_and_refusals(api: Live) -> None:
    if SEEN.keys() != OPERATIONS.keys():  # single ones were chosen
        return
    assert [name for name, seen in SEEN.items() if not seen[200] + seen[204]] == []
    assert {name: {column.name for column in VIEWS[name].columns} for name in VIEWS} == FILTERED
    assert {200, 204, 400, 404} <= sum(SEEN.values(), Counter()).keys()
