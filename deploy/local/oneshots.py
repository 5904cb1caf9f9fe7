"""Commands that run to their end: setting up, and asking the services' own command line."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence

from deploy.local.processes import Command
from deploy.local.refusals import CannotRun


async def output_of(command: Command) -> str:
    """Run `command` to its end and return its standard output; raises CannotRun with its last words if it fails."""
    return await asyncio.to_thread(_run, command)


def _run(command: Command) -> str:
    told = subprocess.run(
        [str(part) for part in command.argv],
        env=dict(command.environment),
        cwd=command.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        raise CannotRun("\n  ".join([f"{command.name} failed with code {told.returncode}:", *_last(told)]))
    return told.stdout


def _last(told: subprocess.CompletedProcess[str]) -> Sequence[str]:
    return [line for line in (told.stdout + told.stderr).splitlines() if line.strip()][-12:]
