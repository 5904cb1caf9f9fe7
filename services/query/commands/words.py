"""What the words of all commands are made of: nouns, verbs, and the kinds of their arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine
from typing import Any, Final
from uuid import UUID

from services.query.commands.context import Context

Command = Callable[[Context, argparse.Namespace], Coroutine[Any, Any, str]]


def noun(nouns: Any, name: str, what: str) -> Any:
    """Add a noun; return what its verbs are added to."""
    parser = nouns.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    return parser.add_subparsers(title="actions", metavar="ACTION", required=True)


def verb(actions: Any, name: str, what: str, run: Command) -> argparse.ArgumentParser:
    """Add what is run by two words; return what its arguments are added to."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    parser.set_defaults(run=run)
    return parser


def uuid(text: str) -> UUID:
    """Return an id, or raise what argparse says."""
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no id; ids look like 8cb7868a-71e7-5e04-918b-4d0d240f944a"
        ) from None


def from_1_to(most: int) -> Callable[[str], int]:
    """Return what reads a number from 1 to `most`."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
        return int(text)

    return number


DAYS: Final = from_1_to(3650)
