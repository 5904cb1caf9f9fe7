"""The gateway's application: authenticate, validate, publish, answer (contracts: docs/agents.md)."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.topics import key_of, topic_of
from services.common.health import Health
from services.common.patience import is_outage
from services.ingest import metrics
from services.ingest.gateway.body import ClientDisconnect, Waiting, read_body
from services.ingest.gateway.inflate import BadBody, TooLarge, UnknownEncoding, inflate
from services.ingest.gateway.problems import CONTENT_TYPE, Fault, problem
from services.ingest.gateway.publish import Publisher, Record
from services.ingest.gateway.quota import Quota
from services.ingest.gateway.tokens import Tokens
from services.ingest.gateway.validate import (
    Bad,
    BodyRefused,
    Good,
    Principal,
    in_portions,
    is_batch,
    judge,
    label_of,
    split,
)

_LOG: Final = logging.getLogger(__name__)
PUBLISH_SECONDS: Final = 4.0
"""How long Kafka may take to acknowledge before the agent is told to come again."""
RETRY_AFTER_S: Final = 5
_AT_ONCE: Final = 4
"""Bodies that are inflated, judged and published at once: each may hold 8 MiB."""
_TOKEN_PARAMETERS: Final = frozenset({"token", "access_token", "auth", "authorization", "api_key", "key"})


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one event of a batch."""

    index: int
    id: str | None
    status: int
    detail: str = ""
    reason: str | None = None
    pointer: str | None = None


class Gateway:
    """The routes and what they need; `now` is the wall clock, aware UTC."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        publisher: Publisher,
        quota: Quota,
        health: Health,
        prefix: str,
        now: Callable[[], datetime],
        publish_seconds: float = PUBLISH_SECONDS,
    ) -> None:
        self._tokens = tokens
        self._publisher = publisher
        self._quota = quota
        self._health = health
        self._prefix = prefix
        self._now = now
        self._publish_seconds = publish_seconds
        self._waiting = Waiting()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def post_events(self, request: Request) -> Response:
        """POST /v1/events: one event or an array of events; 202 only after every replica has all of them."""
        principal = await self._authenticated(request)
        batch = is_batch(request.headers.get("content-type"))
        async with read_body(request, self._waiting) as body:
            await self._take_slot()
        try:
            body = _inflated(body, request.headers.get("content-encoding", ""))
            values, size = split(body) if batch else [body], len(body)
            del body
            self._charge(principal, len(values), size)
            verdicts = await _judged(values, principal)
            del values
            stored = await self._published([verdict for verdict in verdicts if isinstance(verdict, Good)])
        finally:
            self._slots.release()
        _note(verdicts, principal)
        return _answer_batch(verdicts, stored) if batch else _answer_single(verdicts[0], stored)

    async def _take_slot(self) -> None:
        try:
            async with asyncio.timeout(self._publish_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise BodyRefused(503, "busy", "too many requests at once") from None

    async def _authenticated(self, request: Request) -> Principal:
        if any(name.lower() in _TOKEN_PARAMETERS for name in request.query_params) or "swa_" in request.url.query:
            metrics.SECURITY_EVENTS.labels("token_in_url").inc()
            raise BodyRefused(401, "token_in_url", "a token in a URL ends up in logs: send it as Authorization: Bearer")
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise BodyRefused(401, "token_missing", "Authorization: Bearer and the agent's token")
        try:
            found = await self._tokens.principal(text.strip(), self._now())
        except Exception as error:
            if not is_outage(error):
                raise
            self._postgres(f"Postgres does not answer: {type(error).__name__}")
            raise BodyRefused(503, "tokens_unavailable", "tokens cannot be checked at the moment") from error
        self._postgres(None)
        if isinstance(found, str):
            metrics.SECURITY_EVENTS.labels("bad_token").inc()
            raise BodyRefused(401, f"token_{found}", f"the token is {found}")
        return found

    def _postgres(self, trouble: str | None) -> None:
        self._health.set("postgres", trouble)
        metrics.OUTAGE.labels("postgres").set(trouble is not None)

    def _charge(self, principal: Principal, events: int, size: int) -> None:
        over = self._quota.take(principal.organization_id, events, size, time.monotonic())
        if over is not None:
            metrics.OVER_QUOTA.labels(over.unit).inc()
            raise _Later(429, "quota", f"this organization sends more {over.unit} than its quota allows", over.wait_s)

    async def _published(self, good: Sequence[Good]) -> list[bool]:
        records = [Record(self._prefix + topic_of(each.event).name, key_of(each.event), each.value) for each in good]
        return await self._publisher.publish(records, self._publish_seconds) if records else []


class _Later(BodyRefused):
    """Not now: come again after so many seconds."""

    def __init__(self, status: int, reason: str, detail: str, seconds: float) -> None:
        super().__init__(status, reason, detail)
        self.seconds = seconds


def _inflated(body: bytes, encoding: str) -> bytes:
    try:
        return inflate(body, encoding)
    except TooLarge as error:
        raise BodyRefused(413, "too_large", str(error)) from None
    except BadBody as error:
        raise BodyRefused(400, "bad_encoding", str(error)) from None
    except UnknownEncoding:
        raise BodyRefused(415, "content_encoding", "Content-Encoding gzip or zstd, once, or none") from None


async def _judged(values: Sequence[bytes], principal: Principal) -> list[Good | Bad]:
    verdicts: list[Good | Bad] = []
    for portion in in_portions(values):
        verdicts += [judge(value, principal) for value in portion]
        await asyncio.sleep(0)
    return verdicts


def _note(verdicts: Sequence[Good | Bad], principal: Principal) -> None:
    """Count what was refused; a try to send as somebody else is also logged, without any text of the event."""
    metrics.BATCH_EVENTS.observe(len(verdicts))
    for verdict in verdicts:
        if isinstance(verdict, Good):
            continue
        metrics.EVENTS_REFUSED.labels(verdict.type, verdict.reason).inc()
        if verdict.status == 403:
            metrics.SECURITY_EVENTS.labels(verdict.reason).inc()
            _LOG.warning(
                "an agent sent an event that is not its own",
                extra={"action": "event_forbidden", "reason": verdict.reason, "token_id": str(principal.token_id)},
            )


def _results(verdicts: Sequence[Good | Bad], stored: Sequence[bool]) -> list[Result]:
    fate = iter(stored)
    results = []
    for index, verdict in enumerate(verdicts):
        if isinstance(verdict, Bad):
            results.append(Result(index, verdict.id, verdict.status, verdict.detail, verdict.reason, verdict.pointer))
        elif next(fate):
            metrics.EVENTS_RECEIVED.labels(label_of(verdict.event.type)).inc()
            results.append(Result(index, verdict.id, 202))
        else:
            metrics.UNACKNOWLEDGED.inc()
            results.append(Result(index, verdict.id, 503, "Kafka did not acknowledge it in time: send it again"))
    return results


def _answer_batch(verdicts: Sequence[Good | Bad], stored: Sequence[bool]) -> Response:
    results = _results(verdicts, stored)
    accepted = sum(result.status == 202 for result in results)
    if accepted == len(results):
        return _json(202, {"accepted": accepted})
    if all(result.status == 503 for result in results):
        return _refusal(_unavailable())
    later = {"Retry-After": str(RETRY_AFTER_S)} if any(result.status == 503 for result in results) else {}
    return _json(207, {"accepted": accepted, "results": results}, later)


def _answer_single(verdict: Good | Bad, stored: Sequence[bool]) -> Response:
    if isinstance(verdict, Bad):
        # What is not JSON at all is 400 as a body; inside a batch there is always an element to point at.
        status = 400 if verdict.reason in {"not_json", "not_utf8", "byte_order_mark", "empty"} else verdict.status
        fault = Fault(verdict.detail, pointer=verdict.pointer, reason=verdict.reason, id=verdict.id)
        return _refusal(BodyRefused(status, verdict.reason, verdict.detail), [fault])
    [result] = _results([verdict], stored)
    return _json(202, {"accepted": 1}) if result.status == 202 else _refusal(_unavailable())


def _unavailable() -> BodyRefused:
    return BodyRefused(503, "kafka_unavailable", "Kafka cannot take events at the moment: send them again")


def _json(status: int, content: object, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")


def _refusal(refused: BodyRefused, errors: Sequence[Fault] = ()) -> Response:
    metrics.BODIES_REFUSED.labels(str(refused.status)).inc()
    headers = {"Cache-Control": "no-store"}
    if refused.status in {429, 503}:
        headers["Retry-After"] = f"{refused.seconds:.0f}" if isinstance(refused, _Later) else str(RETRY_AFTER_S)
    if refused.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="syncwatch"'
    if refused.status in {401, 408, 413, 415, 429, 503}:
        headers["Connection"] = "close"  # the rest of the body may not have been read
    errors = errors or ([Fault(refused.detail, pointer=refused.pointer)] if refused.pointer else [])
    body = problem(refused.status, refused.reason, refused.detail, f"urn:uuid:{uuid4()}", errors)
    return Response(body, refused.status, headers, media_type=CONTENT_TYPE)


async def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, BodyRefused)
    return _refusal(error)


async def _on_left(request: Request, error: Exception) -> Response:
    return Response(status_code=408)  # nobody reads it


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = {404: "the gateway has POST /v1/events", 405: "events are sent with POST"}
    answer = _refusal(
        BodyRefused(error.status_code, "http", detail.get(error.status_code, "this request is not understood"))
    )
    answer.headers.update(error.headers or {})
    return answer


async def _on_bug(request: Request, error: Exception) -> Response:
    return _refusal(BodyRefused(500, "internal", "the gateway failed; this is its fault, not the event's"))


def build(gateway: Gateway) -> Starlette:
    """Return the ASGI application."""
    return Starlette(
        routes=[Route("/v1/events", gateway.post_events, methods=["POST"])],
        exception_handlers={
            BodyRefused: _on_refused,
            ClientDisconnect: _on_left,
            HTTPException: _on_http,
            Exception: _on_bug,
        },
    )
