"""`python -m deploy.local up [--once [N]]`, `… config` and `… syncwatch …`: what `./run` calls."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

from deploy.local.folder import opened, state_folder
from deploy.local.operate import environment
from deploy.local.refusals import Refusal, from_os
from deploy.local.settings import Settings, shown
from deploy.local.telling import Teller
from deploy.local.up import run_once, stay
from services.common.settings import BadSettings, read
from services.query.commands import command_line

USUAL_SESSIONS: Final = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked and return the exit code; every refusal is a sentence on standard error."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if given[:1] == ["syncwatch"]:
            return _operate(given[1:], os.environ)
        asked = _parser().parse_args(given)
        settings = read(Settings, os.environ, prefix="")
        if asked.command == "config":
            print(*shown(settings, os.environ), sep="\n")
            return 0
        return _up(settings, os.environ, asked.once)
    except BadSettings as problem:
        return _refuse(str(problem), 2)
    except Refusal as refusal:
        return _refuse(str(refusal), refusal.code)
    except BaseExceptionGroup as group:
        first = _first(group)
        return _refuse(str(first), first.code)
    except OSError as error:
        told = from_os(error)
        return _refuse(str(told), told.code)


def _up(settings: Settings, environ: Mapping[str, str], sessions: int | None) -> int:
    say = Teller()
    path = state_folder(environ)
    say(f"Syncwatch starts; state is kept in {path}")
    with opened(path) as folder:
        if sessions is not None:
            return 0 if _until_stopped(run_once(settings, environ, folder, sessions, say)) else 1
        _until_stopped(stay(settings, environ, folder, say))
        return 0


def _operate(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    command_line.parser().parse_args(arguments)  # what is asked wrongly, or for help, needs nothing that was started
    own = environment(read(Settings, environ, prefix=""), state_folder(environ))
    return command_line.run(arguments, {**environ, **own})


def _until_stopped(work: Coroutine[Any, Any, Any]) -> Any:
    """Run `work` until it ends or a signal asks us to stop; then its clean-up runs, undisturbed by more signals."""

    async def run() -> Any:
        task = asyncio.create_task(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: None if task.cancelling() else task.cancel())
        try:
            return await task
        except asyncio.CancelledError:
            return None

    return asyncio.run(run())


def _first(group: BaseExceptionGroup[BaseException]) -> Refusal:
    """Return the refusal among what failed side by side; a bug among them is raised as it is."""
    told: list[Refusal] = []
    for error in _leaves(group):
        if isinstance(error, Refusal):
            told.append(error)
        elif isinstance(error, OSError):
            told.append(from_os(error))
        else:
            raise error
    return told[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _refuse(text: str, code: int) -> int:
    print(text, file=sys.stderr, flush=True)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run", description=__doc__)
    verbs = parser.add_subparsers(dest="command", required=True)
    up = verbs.add_parser("up", prog="./run", help="start everything")
    up.add_argument(
        "--once", nargs="?", type=_count, const=USUAL_SESSIONS, metavar="N", help="run N sessions, compare, end"
    )
    verbs.add_parser("config", help="show the variables and their values")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one session")
    return number


if __name__ == "__main__":
    sys.exit(main())
