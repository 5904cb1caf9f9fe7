"""The store: one batch is one transaction. What Postgres answers is told apart here: done, fenced, refused."""

from __future__ import annotations

from typing import Final

import asyncpg
import zstandard

from schemas.sql import named_queries
from services.aggregator.apply import DatabaseRefuses
from services.aggregator.batch import Work
from services.aggregator.judge import prepare as prepare_judge
from services.aggregator.transaction import Connection, Saved, Transaction
from services.common.pool import UNANSWERED_S, create_pool

_POSITIONS: Final = named_queries("positions")
_TABLES: Final = (
    named_queries("sessions")["make_batch_session"],
    named_queries("issues")["make_batch_sighting"],
    named_queries("logs")["make_batch_chunk"],
)
_REFUSALS: Final = (
    asyncpg.CardinalityViolationError,  # two users tell of one issue of one session: parts do not
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""What Postgres says of data it cannot hold, whoever sends it and however often."""


SETTINGS: Final = {
    # Below Kafka's session time-out: a stopped worker must not hold locks when another has its partitions.
    "idle_in_transaction_session_timeout": "4s", "lock_timeout": "4s",
    # A batch is sorted in memory, and its temporary tables stay there.
    "work_mem": "64MB", "temp_buffers": "32MB",
}  # fmt: skip


async def open_pool(url: str, *, role_name: str) -> asyncpg.Pool:
    """Open the connections that batches are stored through."""
    return await create_pool(
        url, role_name=role_name, max_size=5, server_settings=SETTINGS, init=prepare, unanswered_s=UNANSWERED_S
    )


async def prepare(connection: asyncpg.Connection) -> None:
    """Make the temporary tables that batches travel through; once per connection."""
    for table in _TABLES:
        await connection.execute(table)
    await prepare_judge(connection)


class PostgresStore:
    """Saves work."""

    def __init__(self, pool: asyncpg.Pool, *, events_topic: str) -> None:
        self._pool = pool
        self._events_topic = events_topic
        self._compressor = zstandard.ZstdCompressor(level=3)
        self._unsure: tuple[Work, Saved] | None = None
        """Work whose commit was sent and not answered yet."""

    async def save(self, work: Work) -> Saved:
        """Store the work wholly, or raise and store nothing.

        Raises Fenced where a position is not ours, CannotGoIn and DatabaseRefuses as `apply` knows them. After an
        outage the same work may be saved again: a commit whose answer was lost is recognized by the positions.
        """
        try:
            async with self._pool.acquire() as connection:
                if await self._is_stored_already(connection, work):
                    return self._settled()
                transaction = Transaction(connection, work, self._events_topic, self._compressor)
                async with connection.transaction():
                    await transaction.run()
                    self._unsure = work, transaction.saved
            return self._settled()
        except _REFUSALS as error:
            raise DatabaseRefuses(f"SQLSTATE {error.sqlstate}") from error
        except (OverflowError, UnicodeEncodeError) as error:  # what asyncpg cannot encode for a column
            raise DatabaseRefuses(f"cannot be encoded: {type(error).__name__}") from error

    def _settled(self) -> Saved:
        assert self._unsure is not None
        saved = self._unsure[1]
        self._unsure = None
        return saved

    async def _is_stored_already(self, connection: Connection, work: Work) -> bool:
        """Tell whether this very work was committed and only the answer got lost."""
        if self._unsure is None or self._unsure[0] is not work:
            self._unsure = None
            return False
        if not work.spans:
            return False  # no positions, so nothing that a second time could harm
        found = await connection.fetch(
            _POSITIONS["look_at_positions"],
            [span.topic for span in work.spans],
            [span.partition for span in work.spans],
        )
        places = {(row["topic"], row["partition"], row["epoch"]): row["next_offset"] for row in found}
        return all(places.get((span.topic, span.partition, span.epoch)) == span.high for span in work.spans)
