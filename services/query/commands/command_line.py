"""The `syncwatch` command line of operators. Whatever it does or shows is written to the audit trail with it.

Exit codes: 0 done, 1 it could not be done (the reason is on standard error), 2 used wrongly or settings missing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

import asyncpg

from services.common.migrate import CannotMigrate
from services.common.patience import is_outage
from services.common.settings import BadSettings
from services.common.topics import CannotCreateTopics
from services.query.commands import accounts, agents, keys, organizations, positions, rejects, tables, topics
from services.query.commands.context import Context
from services.query.commands.operating import CannotDo
from services.query.commands.words import noun, verb


def main() -> None:
    """Run one command and exit with its code."""
    sys.exit(run(sys.argv[1:], os.environ))


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command, print what it says and return its exit code."""
    code, said = asyncio.run(carry_out(parser().parse_args(arguments), dict(environ)))
    print(said, file=sys.stderr if code else sys.stdout)
    return code


async def carry_out(arguments: argparse.Namespace, environ: dict[str, str]) -> tuple[int, str]:
    """Run a parsed command; return its exit code and what it says, which is why not when the code is not 0."""
    try:
        return 0, await arguments.run(Context(environ), arguments)
    except BadSettings as bad:
        return 2, "\n".join(bad.problems)
    except (CannotDo, CannotMigrate, CannotCreateTopics) as refusal:
        return 1, str(refusal)
    except asyncpg.InvalidCatalogNameError as refusal:
        return 1, f"Postgres has no such database: {refusal}"
    except asyncpg.UndefinedTableError:
        return 1, "The database has no tables yet: run `syncwatch migrate` first."
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError) as refusal:
        return 1, f"Postgres refuses this role: {refusal}"
    except Exception as error:
        if not is_outage(error):
            raise
        return 1, f"Cannot reach what is needed: {error or type(error).__name__}"


def parser() -> argparse.ArgumentParser:
    """Return the whole command line."""
    top = argparse.ArgumentParser(
        prog="syncwatch",
        description="Operates Syncwatch: who may come in, what was set aside, where reading stands.",
        epilog="DATABASE_URL names Postgres as the owner; KAFKA_BOOTSTRAP names Kafka, for `topics create` and "
        "`rejects replay`; PANEL_URL the panel, for links; TOPIC_PREFIX what stands before the topics' names. "
        "`./run syncwatch` knows them. Whatever a command does or shows is written to the audit trail.",
    )
    nouns = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    organizations.words(noun(nouns, "organizations", "the organizations that are watched"))
    accounts.words(noun(nouns, "accounts", "people who sign in to the panel"))
    agents.words(noun(nouns, "agents", "tokens that connector agents send events with"))
    keys.words(noun(nouns, "keys", "keys of the API"))
    rejects.words(noun(nouns, "rejects", "events that could not be applied"))
    positions.words(noun(nouns, "positions", "how far each partition is applied"))
    topics.words(noun(nouns, "topics", "the topics in Kafka"))
    verb(nouns, "migrate", "bring the database up to date", tables.migrate)
    return top
