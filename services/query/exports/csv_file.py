"""A list as CSV: the view's rows from one snapshot, formatted by Postgres, never a row in Python."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.query.counting import narrow_count
from services.query.exports.columns import csv_columns
from services.query.exports.crlf import Crlf
from services.query.exports.sink import Download, Meta, Sink
from services.query.freshness import freshness_of
from services.query.picking import pick
from services.query.principal import Principal
from services.query.scope import needs_existing
from services.query.services import Services
from services.query.views.statements import is_indexed, selection
from services.query.views.view import One, OneUser, View

_BOM: Final = "\ufeff".encode()
# The rows come in the order of the page's index only if nothing sorts or hashes them on their way to the joins.
_IN_ORDER: Final = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_sort = {}"


def csv_download(services: Services, principal: Principal, view: View) -> Download:
    """Return the answer that streams a view as CSV: all of its rows, the same columns, order and filters."""
    organization = view.scope.organization_id if isinstance(view.scope, One | OneUser) else None
    stamp = services.now().strftime("%Y%m%dT%H%M%SZ")
    meta = Meta(
        list=view.list.name,
        query=view.query(),
        organization_id=organization,
        action="export_started",
        file_name=f"syncwatch-{view.list.name.replace('_', '-')}-{stamp}.csv",
        media_type="text/csv; charset=utf-8; header=present",
    )

    async def produce(sink: Sink) -> None:
        await _copy(services, view, sink)

    return Download(services, principal, meta, produce)


async def _copy(services: Services, view: View, sink: Sink) -> None:
    crlf = Crlf()

    async def write(data: bytes) -> None:
        if not sink.begun:
            await sink.begin(fresh.as_of)
            if view.csv.bom:
                await sink.write(_BOM)
        await sink.write(crlf(data))

    async with services.exporting(view.scope) as connection:
        await needs_existing(connection, view)
        picks = await pick(connection, view)
        indexed = is_indexed(view)
        if not indexed:
            await narrow_count(services, connection, view, picks)
        fresh = await freshness_of(connection, services.now())
        await connection.execute(_IN_ORDER.format("off" if indexed else "on"))
        statement = selection(replace(view, cursor=None), csv_columns(view), picks)
        status = await connection.copy_from_query(
            statement.sql, *statement.args, output=write, format="csv", header=True, delimiter=view.csv.separator
        )
        sink.rows = int(status.rpartition(" ")[2])
    await sink.finish()
