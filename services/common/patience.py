"""Waiting out an outage in place: the dependency is away, what we do is right, so do it again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg
from aiokafka.errors import KafkaError, KafkaTimeoutError, KafkaUnavailableError

T = TypeVar("T")

OUTAGES: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,
)
"""Errors that say "not now" and nothing about what was asked for.

OSError covers sockets, host names and time-outs: read files at start-up, never under `through_outages`.
InternalClientError is what asyncpg raises when the server cuts it off between two messages.
"""

NO_ANSWER: Final = (KafkaTimeoutError, KafkaUnavailableError)
"""What aiokafka does not call retriable, though the broker said nothing about what was asked for."""

_CUT_OFF: Final = ("connection is closed", "cannot call Transaction.__aexit__", "cannot call Connection.")

FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 5.0


def is_outage(error: BaseException) -> bool:
    """Whether trying again later can help. InterfaceError counts only where it tells of a lost connection."""
    if isinstance(error, asyncpg.InterfaceError):
        return any(words in str(error) for words in _CUT_OFF)
    if isinstance(error, KafkaError):
        return error.retriable or isinstance(error, NO_ANSWER)
    return isinstance(error, OUTAGES)


async def through_outages(
    action: Callable[[], Awaitable[T]], *, on_wait: Callable[[BaseException, float], None] | None = None
) -> T:
    """Do `action` until it succeeds; only what is no outage escapes.

    Waits grow from a tenth of a second to five seconds, with jitter, so that many workers do not knock together.
    `on_wait(error, seconds)` is called before each wait. Take connections from the pool inside `action`.
    """
    wait = FIRST_WAIT_S
    while True:
        try:
            return await action()
        except Exception as error:
            if not is_outage(error):
                raise
            seconds = wait * random.uniform(0.5, 1.0)
            if on_wait is not None:
                on_wait(error, seconds)
            await asyncio.sleep(seconds)
            wait = min(wait * 2, LONGEST_WAIT_S)
