"""How far each partition is applied."""

from __future__ import annotations

import argparse
from typing import Any, Final

from schemas.sql import named_queries
from services.query.audit import Audit, write
from services.query.commands.context import Context
from services.query.commands.operating import CannotDo, listed, operating
from services.query.commands.words import verb

_SQL: Final = named_queries("operations")
_ACCEPT: Final = named_queries("positions")["accept_position"]


def words(actions: Any) -> None:
    """Add the verbs."""
    verb(actions, "list", "list partitions, how far they are applied, and what halted them", list_all)
    accepting = verb(
        actions, "accept",
        "lift a halt: you have looked, and reading may go on; what lies between is lost", accept,
    )  # fmt: skip
    accepting.add_argument("topic", metavar="TOPIC", help="its full name")
    accepting.add_argument("partition", type=int, metavar="PARTITION")
    accepting.add_argument(
        "--at", type=int, metavar="OFFSET", help="read on from here; unless given: what was found, else where it stands"
    )
    accepting.add_argument(
        "--new-log", action="store_true",
        help="the topic was made anew: raises its epoch, and reads on from 0 unless --at is given",
    )  # fmt: skip


async def list_all(context: Context, arguments: argparse.Namespace) -> str:
    titles = (
        "topic", "partition", "epoch", "next offset", "applied to", "halted", "since", "expected", "found", "lost",
        "last lost",
    )  # fmt: skip
    return await listed(context, "positions", _SQL["list_positions"], titles)


async def accept(context: Context, arguments: argparse.Namespace) -> str:
    async with operating(context.database_url) as operator:
        row = await operator.connection.fetchrow(_SQL["halted_position"], arguments.topic, arguments.partition)
        if row is None:
            raise CannotDo(
                f"There is no partition {arguments.topic}/{arguments.partition}: see `syncwatch positions list`."
            )
        if row["halted"] is None:
            raise CannotDo(f"{arguments.topic}/{arguments.partition} is not halted.")
        at = arguments.at
        if at is None:
            at = 0 if arguments.new_log else row["next_offset"] if row["halted_found"] is None else row["halted_found"]
        if at < 0:
            raise CannotDo("An offset is not negative.")
        moved = await operator.connection.fetchrow(_ACCEPT, arguments.topic, arguments.partition, at, arguments.new_log)
        before = {"halted": row["halted"], "next_offset": row["next_offset"], "epoch": row["epoch"]}
        after = {"next_offset": moved["next_offset"], "epoch": moved["epoch"]}
        what = f"{arguments.topic}/{arguments.partition}"
        audit = Audit(operator.actor, "position_accepted", what, before=before, after=after)
        await write(operator.connection, audit, operator.now)
    return f"{what} reads on at {moved['next_offset']}, epoch {moved['epoch']}."
