"""The `syncwatch` command line of operators. Whatever it does or shows is written to the audit trail with it.

Exit codes: 0 done, 1 it could not be done (the reason is on standard error), 2 used wrongly or settings missing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import make_dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from services.common.migrate import CannotMigrate, migrate
from services.common.patience import is_outage
from services.common.settings import BadSettings, read, setting
from services.common.topics import CannotCreateTopics, create_topics
from services.query import operations
from services.query.operations import CannotDo
from services.query.principal import ROLES

Command = Callable[["Context", argparse.Namespace], Coroutine[Any, Any, str]]


class Context:
    """Where commands act: the owner's database, Kafka, the panel's address."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ

    def setting(self, name: str, why: str) -> str:
        """Return a setting that a command needs, or raise BadSettings."""
        return _one(self.environ, name, why)

    @property
    def database_url(self) -> str:
        url = self.setting("database_url", "Postgres as the owner of the tables, as a URL")
        scheme, _, rest = url.partition("://")
        hosts = re.split("[/?]", rest, maxsplit=1)[0].rpartition("@")[2].split(",")  # there may be several
        try:
            is_address = scheme in ("postgresql", "postgres") and all(urlsplit(f"//{each}").port != 0 for each in hosts)
        except ValueError:
            is_address = False
        if not is_address:
            raise BadSettings(
                ["DATABASE_URL is no address of a Postgres: postgresql://user:password@host:port/database"]
            )
        return url

    @property
    def panel_url(self) -> str:
        return (self.environ.get("PANEL_URL") or "http://127.0.0.1:8080").rstrip("/")

    @property
    def prefix(self) -> str:
        return self.environ.get("TOPIC_PREFIX", "")


def _one(environ: dict[str, str], name: str, why: str) -> str:
    shape = make_dataclass("Needed", [(name, str, setting(why))], frozen=True, kw_only=True)
    value: str = getattr(read(shape, environ, ""), name)
    return value


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


# ---------------------------------------------------------------------------------------------- the words
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
    _organizations(_noun(nouns, "organizations", "the organizations that are watched"))
    _accounts(_noun(nouns, "accounts", "people who sign in to the panel"))
    _agents(_noun(nouns, "agents", "tokens that connector agents send events with"))
    _keys(_noun(nouns, "keys", "keys of the API"))
    _rejects(_noun(nouns, "rejects", "events that could not be applied"))
    _positions(_noun(nouns, "positions", "how far each partition is applied"))
    _topics(_noun(nouns, "topics", "the topics in Kafka"))
    step = nouns.add_parser(
        "migrate", help="bring the database up to date", description="Bring the database up to date."
    )
    step.set_defaults(run=_migrate)
    return top


def _noun(nouns: Any, name: str, what: str) -> Any:
    noun = nouns.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    return noun.add_subparsers(title="actions", metavar="ACTION", required=True)


def _verb(actions: Any, name: str, what: str, run: Command) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = actions.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    verb.set_defaults(run=run)
    return verb


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no id; ids look like 8cb7868a-71e7-5e04-918b-4d0d240f944a"
        ) from None


def _from_1_to(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
        return int(text)

    return number


_DAYS: Final = _from_1_to(3650)


def _organizations(actions: Any) -> None:
    add = _verb(actions, "add", "add an organization before its agent reports", operations.add_organization_command)
    add.add_argument("name", help="as people know it")
    add.add_argument("--id", type=_uuid, help="its id where the connector has one already; else a new one")
    add.add_argument("--mail-system", help="exchange, office365, gmail, …")
    add.add_argument("--crm-system", default="salesforce", help="salesforce unless said otherwise")
    _verb(actions, "list", "list them with their health", operations.list_organizations_command)


def _accounts(actions: Any) -> None:
    add = _verb(actions, "add", "add a person; `accounts link` then lets them in", operations.add_account_command)
    add.add_argument("email", metavar="EMAIL")
    add.add_argument("--role", required=True, choices=ROLES)
    add.add_argument("--name", help="as shown in the panel")
    add.add_argument("--organization", type=_uuid, metavar="ID", help="needed for organization_admin and end_user")
    add.add_argument("--user", type=_uuid, metavar="ID", help="needed for end_user: whose page it is")
    _verb(actions, "list", "list them", operations.list_accounts_command)
    link = _verb(
        actions, "link", "print a link that signs the person in once, within 15 minutes", operations.link_command
    )
    link.add_argument("email", metavar="EMAIL")
    disable = _verb(actions, "disable", "sign a person out at once and let nobody in by it", operations.disable_command)
    disable.add_argument("email", metavar="EMAIL")
    enable = _verb(actions, "enable", "let a person come in again", operations.enable_command)
    enable.add_argument("email", metavar="EMAIL")


def _agents(actions: Any) -> None:
    add = _verb(actions, "add", "make a token for an agent; it is shown once", operations.add_agent_command)
    add.add_argument("agent", metavar="AGENT", help="what the agent calls itself")
    add.add_argument("--organization", type=_uuid, metavar="ID", required=True, help="whose events it may send")
    add.add_argument("--days", type=_DAYS, help="how long it is valid; for ever unless given")
    _verb(actions, "list", "list them", operations.list_agents_command)
    revoke = _verb(actions, "revoke", "end a token at once", operations.revoke_agent_command)
    revoke.add_argument("token", type=_uuid, metavar="TOKEN_ID", help="as `agents list` shows it")


def _keys(actions: Any) -> None:
    add = _verb(actions, "add", "make a key of the API; it is shown once", operations.add_key_command)
    add.add_argument("name", metavar="NAME", help="what it is for")
    add.add_argument("--role", required=True, choices=[role for role in ROLES if role != "end_user"])
    add.add_argument("--organization", type=_uuid, metavar="ID", help="needed for organization_admin")
    add.add_argument("--days", type=_DAYS, help="how long it is valid; for ever unless given")
    _verb(actions, "list", "list them", operations.list_keys_command)
    revoke = _verb(actions, "revoke", "end a key at once", operations.revoke_key_command)
    revoke.add_argument("key", type=_uuid, metavar="KEY_ID", help="as `keys list` shows it")


def _rejects(actions: Any) -> None:
    listing = _verb(
        actions,
        "list",
        "list what could not be applied, newest first, without its content",
        operations.list_rejects_command,
    )
    listing.add_argument("--reason", help="only this reason")
    listing.add_argument("--limit", type=_from_1_to(100_000), default=50, help="at most so many (50)")
    replay = _verb(actions, "replay", "publish what is kept to its topic again, once each", operations.replay_command)
    replay.add_argument("--reason", help="only this reason")
    replay.add_argument("--topic", help="only this topic")


def _positions(actions: Any) -> None:
    _verb(
        actions,
        "list",
        "list partitions, how far they are applied, and what halted them",
        operations.list_positions_command,
    )
    accept = _verb(
        actions, "accept",
        "lift a halt: you have looked, and reading may go on; what lies between is lost", operations.accept_command,
    )  # fmt: skip
    accept.add_argument("topic", metavar="TOPIC", help="its full name")
    accept.add_argument("partition", type=int, metavar="PARTITION")
    accept.add_argument(
        "--at", type=int, metavar="OFFSET", help="read on from here; unless given: what was found, else where it stands"
    )
    accept.add_argument(
        "--new-log", action="store_true",
        help="the topic was made anew: raises its epoch, and reads on from 0 unless --at is given",
    )  # fmt: skip


def _topics(actions: Any) -> None:
    _verb(actions, "create", "make the topics in Kafka and their positions", _create_topics)


# ---------------------------------------------------------------------------------------------- deploying
async def _migrate(context: Context, arguments: argparse.Namespace) -> str:
    applied = await migrate(context.database_url)
    async with operations.operating(context.database_url) as operator:
        if applied:
            await operator.note("migrated", ", ".join(applied))
    return "\n".join(f"applied {name}" for name in applied) or "The database is up to date."


async def _create_topics(context: Context, arguments: argparse.Namespace) -> str:
    bootstrap = context.setting("kafka_bootstrap", "where Kafka is, as host:port")
    await create_topics(bootstrap, context.database_url, context.prefix)
    async with operations.operating(context.database_url) as operator:
        await operator.note("topics_created", f"{context.prefix}syncwatch.*")
    return "The topics are there."


if __name__ == "__main__":
    main()
