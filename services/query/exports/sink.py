"""Sending a file while it is made: its record, its digest, a client that stops reading, a request to stop.

A file that is not whole is never ended politely: the connection breaks, and the record says so.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schemas.sql import named_queries
from services.query.audit import Audit, write
from services.query.metrics import EXPORT_BYTES, EXPORT_ROWS, EXPORT_SECONDS
from services.query.principal import Principal
from services.query.problems import Refusal, TooSlow
from services.query.services import Services

LOG: Final = logging.getLogger(__name__)
_SQL: Final = named_queries("exports")
PIECE: Final = 32 * 1024
_STALLED_S: Final = 30.0
"""Who takes no piece in this time reads less than 5 KB/s, with what waits on its way, and is cut."""
_LONGEST_S: Final = 600.0
"""A whole file, as the statement of a CSV: a slow reader holds a snapshot, and one of few connections."""
_ASK_S: Final = 1.0


class Cut(Exception):
    """The file ended before its time; nothing may follow."""


class OldClient(Refusal):
    """HTTP/1.0 cannot tell a cut file from a whole one."""

    status, slug, title = 505, "http_version", "HTTP/1.1 is needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What a download is, for its record and its head."""

    list: str
    query: str
    organization_id: UUID | None
    action: str
    file_name: str
    media_type: str


class Sink:
    """Where a file is written to. `begin` once, before the first byte, when everything that can be refused has been."""

    def __init__(self, services: Services, principal: Principal, meta: Meta, send: Send) -> None:
        self.export_id = uuid.uuid4()
        self.begun = False
        self._services, self._principal, self._meta, self._send = services, principal, meta, send
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.rows = 0
        self._started = 0.0

    async def begin(self, as_of: datetime | None, organization_id: UUID | None = None) -> None:
        """Write the record and the audit, then send the head: nothing leaves before both are committed.

        `organization_id` where only now it is known whose data it is.
        """
        self._started = time.perf_counter()
        services, now = self._services, self._services.now()
        meta = replace(self._meta, organization_id=organization_id or self._meta.organization_id)
        async with services.administering() as connection:
            who = (self.export_id, self._principal.actor, meta.organization_id)
            await connection.execute(_SQL["begin"], *who, meta.list, meta.query, as_of, now)
            after = {"export_id": str(self.export_id), "query": meta.query}
            audit = Audit(self._principal.actor, meta.action, meta.list, meta.organization_id, after=after)
            await write(connection, audit, now)
        self.begun = True
        await self._send({"type": "http.response.start", "status": 200, "headers": self._head(as_of)})

    def _head(self, as_of: datetime | None) -> list[tuple[bytes, bytes]]:
        headers: Mapping[str, str] = {
            "content-type": self._meta.media_type,
            "content-disposition": f'attachment; filename="{self._meta.file_name}"',
            "syncwatch-export-id": str(self.export_id),
            **({"syncwatch-as-of": as_of.isoformat()} if as_of else {}),
        }
        return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def write(self, data: bytes) -> None:
        """Send bytes, gathered into pieces."""
        self._buffer += data
        while len(self._buffer) >= PIECE:
            piece = bytes(self._buffer[:PIECE])
            del self._buffer[:PIECE]
            await self._send_piece(piece)

    async def _send_piece(self, piece: bytes) -> None:
        self._digest.update(piece)
        self.bytes += len(piece)
        try:
            async with asyncio.timeout(_STALLED_S):
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            raise Cut("the client stopped reading") from None

    async def finish(self) -> None:
        """Send what is left, write down that the file is whole, and only then end it."""
        if self._buffer:
            await self._send_piece(bytes(self._buffer))
            self._buffer.clear()
        if await self.note("complete") != "complete":
            raise Cut("it was cancelled")
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def note(self, state: str) -> str:
        """Write down how it ended; return what is written there, which is `cancelled` where somebody cancelled it."""
        digest = self._digest.digest() if state == "complete" else None
        bound = (self.export_id, self._services.now(), state, self.rows, self.bytes, digest)
        async with self._services.administering() as connection:
            kept = await connection.fetchval(_SQL["finish"], *bound)
        kept = kept or state
        EXPORT_SECONDS.labels(kept).observe(time.perf_counter() - self._started)
        EXPORT_BYTES.inc(self.bytes)
        EXPORT_ROWS.inc(self.rows)
        return str(kept)


Produce = Callable[[Sink], Awaitable[None]]


class Download(Response):
    """An answer that is made while it is sent: `produce` refuses, begins, writes and finishes."""

    def __init__(self, services: Services, principal: Principal, meta: Meta, produce: Produce) -> None:
        super().__init__()
        self._services, self._principal, self._meta, self._produce = services, principal, meta, produce

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make and send the file; stop when the client leaves or somebody cancels it."""
        if scope["method"] == "HEAD":
            await Response(media_type=self._meta.media_type)(scope, receive, send)
            return
        if scope.get("http_version") == "1.0":
            raise OldClient("Only from HTTP/1.1 on can you see whether a file came whole.")
        sink = Sink(self._services, self._principal, self._meta, send)
        making = asyncio.ensure_future(self._produce(sink))
        self._services.running_exports[sink.export_id] = making
        watching = [asyncio.ensure_future(_left(receive, making)), asyncio.ensure_future(self._asked(sink, making))]
        try:
            async with asyncio.timeout(_LONGEST_S):
                await making
        except TimeoutError:
            if not sink.begun:
                raise TooSlow from None
            await self._cut(sink)
            raise Cut(f"it took longer than {_LONGEST_S:.0f} s") from None
        except asyncio.CancelledError:
            making.cancel()
            await self._cut(sink)
            raise Cut("it was stopped") from None
        except Refusal:
            if sink.begun:
                await self._cut(sink)
                raise Cut("the database ended it") from None
            raise
        except Exception:
            await self._cut(sink)
            raise
        finally:
            del self._services.running_exports[sink.export_id]
            for each in watching:
                each.cancel()

    async def _cut(self, sink: Sink) -> None:
        if not sink.begun:
            return
        with suppress(Refusal):
            state = await sink.note("cut")
            said = {"action": "export_cut", "export_id": str(sink.export_id), "state": state}
            LOG.warning("export cut", extra=said)

    async def _asked(self, sink: Sink, making: asyncio.Future[None]) -> None:
        """Stop when the record says cancelled: another process may have been asked to."""
        while True:
            await asyncio.sleep(_ASK_S)
            if not sink.begun:
                continue
            with suppress(Refusal):
                async with self._services.administering() as connection:
                    if await connection.fetchval(_SQL["state"], sink.export_id) == "cancelled":
                        making.cancel()


async def _left(receive: Receive, making: asyncio.Future[None]) -> None:
    """Stop when the client has gone: a server takes what is sent to nobody without a word."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            making.cancel()
            return
