"""Days and retention: tables of days are made ahead and dropped whole, everything else goes in small batches."""

import logging
from datetime import date, datetime, timedelta
from typing import Any, Final

import asyncpg

from schemas.retention import LONGEST_EXPORT, Kept
from schemas.sql import named_queries

LOG: Final = logging.getLogger(__name__)

_SQL: Final = named_queries("leader")
DAYS_AHEAD: Final = 14
ROWS_AT_ONCE: Final = 5_000
_STEPS: Final = 20
"""Batches of one kind a run; the rest goes at the next."""


async def make_days(connection: Any, today: date, kept: Kept) -> int:
    """Make the days that are missing; return how many days ahead there are.

    From the oldest that is kept, since an event may come late or be replayed, to two weeks ahead.
    """
    since = today - kept.sessions, today - kept.logs
    for row in await connection.fetch(_SQL["missing_days"], today, *since, DAYS_AHEAD):
        await connection.execute("SET lock_timeout = '2s'")
        try:
            await connection.execute(_SQL["create_day"], row["day"])
        except asyncpg.LockNotAvailableError:
            LOG.warning("a lock holds up the day %s", row["day"], extra={"action": "day_waits"})
            break  # it holds up the others too: the next run tries again
        finally:
            await connection.execute("RESET lock_timeout")
    days = {(row["parent"], row["day"]) for row in await connection.fetch(_SQL["days"])}
    ahead = 0
    while all((parent, today + timedelta(days=ahead + 1)) in days for parent in _PARENTS):
        ahead += 1
    return ahead


_PARENTS: Final = ("sync_session", "session_text", "issue_sighting", "log_chunk")


def is_past(parent: str, day: date, today: date, kept: Kept) -> bool:
    """Whether a day of a table is older than it is kept: its last moment too."""
    return day < today - kept.of_table(parent)


async def drop_past(connection: Any, now: datetime, kept: Kept) -> None:
    """Drop days and rows that are kept no longer at `now`, an append time: a wrong clock of ours deletes nothing."""
    today = now.date()
    for row in await connection.fetch(_SQL["days"]):
        if is_past(row["parent"], row["day"], today, kept):
            try:
                await connection.execute(_SQL["drop_day"], row["parent"], row["day"])
            except asyncpg.LockNotAvailableError:
                continue  # somebody reads it: the next run tries again
    for name, kept_for in _batches(kept):
        await _drop_rows(connection, name, now - kept_for)


def _batches(kept: Kept) -> tuple[tuple[str, timedelta], ...]:
    return (
        ("drop_closed_issues", kept.closed_issues),
        ("drop_hours", kept.roll_ups),
        ("drop_hours_all", kept.roll_ups),
        ("drop_status_changes", kept.status_changes),
        ("drop_audit", kept.audit),
        ("drop_exports", kept.audit),
        ("drop_web_sessions", kept.sign_ins),
        ("drop_sign_in_links", kept.sign_ins),
        ("drop_rejects", kept.rejects),
        ("drop_gaps", kept.rejects),
    )


async def cut_exports(connection: Any, now: datetime) -> None:
    """Say of exports that run for longer than any can that they are cut."""
    await connection.execute(_SQL["cut_exports"], now - LONGEST_EXPORT)


async def _drop_rows(connection: Any, name: str, before: datetime) -> None:
    for _ in range(_STEPS):
        done = await connection.execute(_SQL[name], before, ROWS_AT_ONCE)
        if int(done.rpartition(" ")[2]) < ROWS_AT_ONCE:
            return


async def fold_hours(connection: Any, now: datetime) -> None:
    """Fold the shards of hours closed for two hours into one."""
    before = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    for name in ("fold_hours", "fold_hours_all"):
        for _ in range(_STEPS):
            if await connection.fetchval(_SQL[name], before, ROWS_AT_ONCE) < ROWS_AT_ONCE:
                break
