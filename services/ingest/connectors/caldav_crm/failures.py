"""What went wrong, in the words of the events: an exception of either side → a Failure and an error code."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

import aiohttp
import asyncpg
import msgspec
from vdirsyncer import exceptions as vdir
from vdirsyncer.http import TransientNetworkError, UsageLimitReached
from vdirsyncer.sync.exceptions import IdentConflict, StorageEmpty, SyncConflict

from schemas.events import MAX_ERROR_TEXT_BYTES, Failure, Scope
from services.ingest.agent import trace_of
from services.ingest.connectors.caldav_crm.appointments import Unreadable


class Side(enum.Enum):
    """Where something happened. The value is the error source of the events."""

    MAIL = "calendar"
    CRM = "crm"
    ENGINE = "connector"


class NoCredentials(Exception):
    """The connector was never told the password of a calendar account."""


class PassFailed(Exception):
    """One user's pass had to be given up. `failure` says why; the cause is the exception that ended it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.source}: {failure.message}")
        self.failure = failure


# (exception, category, retryable, scope); the first that fits counts, so the special stand before the general.
_RULES: Final[tuple[tuple[type[BaseException], str, bool, Scope], ...]] = (
    (SyncConflict, "conflict", False, Scope.ITEM),
    (StorageEmpty, "conflict", False, Scope.MAILBOX),
    (IdentConflict, "duplicate", False, Scope.MAILBOX),
    (NoCredentials, "configuration", False, Scope.MAILBOX),
    (Unreadable, "data_format", False, Scope.ITEM),
    (vdir.NotFoundError, "not_found", True, Scope.ITEM),
    (vdir.AlreadyExistingError, "duplicate", True, Scope.ITEM),
    (vdir.PreconditionFailed, "conflict", True, Scope.ITEM),
    (UsageLimitReached, "throttling", True, Scope.MAILBOX),
    (TransientNetworkError, "connectivity", True, Scope.SERVICE),
    (vdir.InvalidResponse, "data_format", True, Scope.MAILBOX),
    (TimeoutError, "timeout", True, Scope.SERVICE),
    (aiohttp.ClientConnectionError, "connectivity", True, Scope.SERVICE),
    (aiohttp.ClientPayloadError, "connectivity", True, Scope.SERVICE),
    (asyncpg.StringDataRightTruncationError, "validation", False, Scope.ITEM),
    (asyncpg.UniqueViolationError, "duplicate", False, Scope.ITEM),
    (asyncpg.IntegrityConstraintViolationError, "validation", False, Scope.ITEM),
    (asyncpg.DataError, "validation", False, Scope.ITEM),
    (asyncpg.LockNotAvailableError, "locked", True, Scope.ITEM),
    (asyncpg.TransactionRollbackError, "locked", True, Scope.ITEM),
    (asyncpg.QueryCanceledError, "timeout", True, Scope.SERVICE),
    (asyncpg.InvalidAuthorizationSpecificationError, "authentication", False, Scope.SERVICE),
    (asyncpg.InsufficientPrivilegeError, "authorization", False, Scope.SERVICE),
    (asyncpg.InsufficientResourcesError, "quota", True, Scope.SERVICE),
    (asyncpg.InvalidCatalogNameError, "configuration", False, Scope.SERVICE),
    (asyncpg.SyntaxOrAccessError, "configuration", False, Scope.SERVICE),
    (asyncpg.PostgresConnectionError, "connectivity", True, Scope.SERVICE),
    (asyncpg.OperatorInterventionError, "connectivity", True, Scope.SERVICE),
    (asyncpg.InterfaceError, "connectivity", True, Scope.SERVICE),
    (OSError, "connectivity", True, Scope.SERVICE),
)

# What an HTTP status of the calendar server tells: (category, retryable, scope).
_BY_STATUS: Final = {
    400: ("validation", False, Scope.ITEM),
    401: ("authentication", False, Scope.MAILBOX),
    403: ("authorization", False, Scope.MAILBOX),
    408: ("timeout", True, Scope.SERVICE),
    409: ("conflict", True, Scope.ITEM),
    413: ("validation", False, Scope.ITEM),
    415: ("data_format", False, Scope.ITEM),
    422: ("validation", False, Scope.ITEM),
    423: ("locked", True, Scope.ITEM),
    429: ("throttling", True, Scope.MAILBOX),
    503: ("connectivity", True, Scope.SERVICE),
    504: ("timeout", True, Scope.SERVICE),
    507: ("quota", False, Scope.MAILBOX),
}
_SERVER_FAULT: Final = ("internal", True, Scope.SERVICE)
_ENGINE_ERRORS: Final = (SyncConflict, StorageEmpty, IdentConflict, NoCredentials, Unreadable)


def explain(error: BaseException, side: Side) -> Failure:
    """Say what `error`, met while working on `side`, means. What we do not know is a fault of our own: internal.

    What fits one object may also stop a whole pass, such as a lock on the table being listed: see `of_whole_mailbox`.
    """
    if isinstance(error, PassFailed):
        return error.failure
    if isinstance(error, aiohttp.ClientResponseError):
        category, retryable, scope = _BY_STATUS.get(error.status, _SERVER_FAULT)
        return _failure(error, side, category, str(error.status), retryable, scope)
    for kind, category, retryable, scope in _RULES:
        if isinstance(error, kind):
            source = Side.ENGINE if isinstance(error, _ENGINE_ERRORS) else side
            return _failure(error, source, category, _code(error), retryable, scope)
    return _failure(error, Side.ENGINE, "internal", type(error).__name__, False, Scope.MAILBOX)


def classify(error: BaseException) -> Failure:
    """Say what ended a session, for the Reporter: `explain` without a side in hand."""
    return explain(error, Side.ENGINE)


def of_whole_mailbox(failure: Failure) -> Failure:
    """The same failure, met where no single object was in hand, such as while listing them."""
    return msgspec.structs.replace(failure, scope=Scope.MAILBOX) if is_of_one_object(failure) else failure


def is_of_one_object(failure: Failure) -> bool:
    """Whether the next object may still go through. Else the whole pass is to be given up."""
    return failure.scope is Scope.ITEM


def error_code(error: BaseException) -> int:
    """The source document's error code of one failed change: 2 it is gone, 3 somebody was faster, 1 all else."""
    if isinstance(error, vdir.NotFoundError):
        return 2
    if isinstance(error, (vdir.PreconditionFailed, SyncConflict)):
        return 3
    return 1


def words(error: BaseException) -> str:
    """The text the side itself gave, without our trimmings; cut to what an event may carry."""
    for kind, say in _WORDS:
        if isinstance(error, kind):
            return cut(say(error), MAX_ERROR_TEXT_BYTES)
    return cut(str(error) or type(error).__name__, MAX_ERROR_TEXT_BYTES)


def cut(text: str, most_bytes: int) -> str:
    """Return the beginning of `text` that fits, whole characters only, and without the NUL no event may carry."""
    return text.replace("\0", "�").encode(errors="replace")[:most_bytes].decode(errors="ignore")


def _failure(error: BaseException, source: Side, category: str, code: str, retryable: bool, scope: Scope) -> Failure:
    return Failure(
        source=source.value,
        category=category,
        code=code,
        retryable=retryable,
        scope=scope,
        message=words(error),
        exception=trace_of(error),
    )


def _code(error: BaseException) -> str:
    """A SQLSTATE where there is one, else the name of the exception."""
    return str(getattr(error, "sqlstate", None) or type(error).__name__)


def _say_conflict(error: BaseException) -> str:
    return f"Changed on both sides since the last sync: {getattr(error, 'ident', '')}"


def _say_empty(error: BaseException) -> str:
    return (
        f"{getattr(error, 'empty_storage', 'One side')!r} is empty, the other side is not: "
        "nothing was deleted until somebody confirms it"
    )


def _say_status(error: BaseException) -> str:
    return f"{getattr(error, 'status', '')} {getattr(error, 'message', '')}".strip()


_WORDS: Final[tuple[tuple[type[BaseException], Callable[[BaseException], str]], ...]] = (
    (SyncConflict, _say_conflict),
    (StorageEmpty, _say_empty),
    (aiohttp.ClientResponseError, _say_status),
)
