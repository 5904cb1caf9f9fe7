"""A relay before a server, for connections that end at the wrong moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit


@asynccontextmanager
async def relay(
    host: str, port: int, *, shut: Collection[int] = (), late_s: float = 0.0, hushed: asyncio.Event | None = None
) -> AsyncIterator[tuple[int, list[int]]]:
    """Lend a port of the loopback that leads to a server's, and how many connections came so far.

    Those whose numbers, from 1, are in `shut` are dropped; where the server ends one, the client hears `late_s` late.
    While `hushed` is set whatever comes is lost, and no end is heard of, as if the other side had vanished.
    """
    knocks = [0]

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wait_s: float) -> None:
        with suppress(ConnectionError):
            while some := await reader.read(65_536):
                if hushed is None or not hushed.is_set():
                    writer.write(some)
                    await writer.drain()
        await asyncio.sleep(wait_s)
        while hushed is not None and hushed.is_set():
            await asyncio.sleep(0.05)
        writer.close()

    async def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocks[0] += 1
        if knocks[0] in shut:
            writer.close()
            return
        server_reader, server_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(pump(reader, server_writer, 0.0), pump(server_reader, writer, late_s))

    server = await asyncio.start_server(opened, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], knocks
    finally:
        server.close()


@asynccontextmanager
async def relayed(url: str, **how: Any) -> AsyncIterator[str]:
    """Lend a URL that leads to the same server by way of a relay; `how` as `relay` takes it."""
    at = urlsplit(url)
    async with relay(at.hostname or "", at.port or 0, **how) as (port, _):
        yield url.replace(f":{at.port}/", f":{port}/")
