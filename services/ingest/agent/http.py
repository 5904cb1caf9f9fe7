"""The way over the gateway: batches over HTTP."""

import asyncio
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp
import msgspec
import zstandard

from services.ingest.agent.transport import Fate, NotNow, Outcome, Stopped, TooMuch

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, connect=5)
_WORTH_PACKING: Final = 1024


class HttpTransport:
    """Sends to a gateway with a token."""

    def __init__(self, gateway_url: str, token: str) -> None:
        """`gateway_url` is scheme, host and port; a token belongs on https as soon as it leaves the machine."""
        self._url = gateway_url.rstrip("/") + "/v1/events"
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/cloudevents-batch+json",
        }
        self._session: aiohttp.ClientSession | None = None
        self._packer = zstandard.ZstdCompressor(level=3)

    async def start(self) -> None:
        """Open the session; connections are made when needed."""
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers=self._headers)

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        """Send one batch; see `Transport.send`."""
        assert self._session is not None, "start first"
        body, headers = b"[" + b",".join(values) + b"]", {}
        if len(body) > _WORTH_PACKING:
            body, headers = await asyncio.to_thread(self._packer.compress, body), {"Content-Encoding": "zstd"}
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                return outcomes(answer.status, answer.headers, await answer.read(), len(values))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotNow(f"the gateway does not answer: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


def outcomes(status: int, headers: Any, body: bytes, sent: int) -> list[Outcome]:
    """Read the gateway's answer to a batch of `sent` events. Pure but for the clock that a date is compared with."""
    match status:
        case 202:
            return [Outcome(Fate.STORED)] * sent
        case 207:
            return _by_event(body, sent)
        case 401 | 403:
            raise Stopped(f"the gateway answers {status}: {_detail(body)}")
        case 400 | 413 | 422:
            raise TooMuch(Outcome(Fate.REFUSED, status, _reason(body), "", _detail(body)))
        case 429 | 503:
            raise NotNow(f"the gateway answers {status}", retry_after(headers.get("Retry-After"), time.time()))
        case _:
            raise NotNow(f"the gateway answers {status}, which is not expected")


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds to wait: a number, a fraction too, or an HTTP date; None where nothing usable is said."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except ValueError:
            return None
    return min(max(seconds, 0.0), 3600.0) if seconds == seconds else None


class _Result(msgspec.Struct):
    index: int
    status: int
    detail: str = ""
    reason: str | None = None
    pointer: str | None = None


class _Partly(msgspec.Struct):
    results: list[_Result]


def _by_event(body: bytes, sent: int) -> list[Outcome]:
    """Read a 207. An event it does not mention is unknown, and sent again."""
    try:
        results = msgspec.json.decode(body, type=_Partly).results
    except msgspec.MsgspecError as error:
        raise NotNow("the gateway's answer cannot be read") from error
    found = [Outcome(Fate.AGAIN, 503)] * sent
    for each in results:
        if 0 <= each.index < sent:
            found[each.index] = Outcome(
                _fate(each.status), each.status, each.reason or "", each.pointer or "", each.detail
            )
    return found


def _fate(status: int) -> Fate:
    if status == 202:
        return Fate.STORED
    return Fate.REFUSED if status in {400, 403, 413, 422} else Fate.AGAIN


def _problem(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def _detail(body: bytes) -> str:
    return str(_problem(body).get("detail", ""))


def _reason(body: bytes) -> str:
    return str(_problem(body).get("type", "")).rpartition("/")[2]
