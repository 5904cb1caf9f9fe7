"""The topics in Kafka."""

from __future__ import annotations

import argparse
from typing import Any

from services.common.topics import create_topics
from services.query.commands.context import Context
from services.query.commands.operating import operating
from services.query.commands.words import verb


def words(actions: Any) -> None:
    """Add the verbs."""
    verb(actions, "create", "make the topics in Kafka and their positions", create)


async def create(context: Context, arguments: argparse.Namespace) -> str:
    bootstrap = context.setting("kafka_bootstrap", "where Kafka is, as host:port")
    await create_topics(bootstrap, context.database_url, context.prefix)
    async with operating(context.database_url) as operator:
        await operator.note("topics_created", f"{context.prefix}syncwatch.*")
    return "The topics are there."
