"""Commands that run to their end: setting up, and asking the services' own command line."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from deploy.local.processes import Command, last_lines
from deploy.local.refusals import CannotRun


async def output_of(command: Command, logs: Path) -> str:
    """Run `command` to its end and return its standard output; the rest goes to its log.

    Raises CannotRun with its last log lines if it fails. Cancelled, it ends the command and whatever that started.
    """
    log = logs / f"{command.name}.log"
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *(str(part) for part in command.argv),
            env=dict(command.environment),
            cwd=command.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        said = [*output.decode(errors="replace").splitlines()[-6:], *last_lines(log, 6)]
        raise CannotRun("\n  ".join([f"{command.name} failed with code {process.returncode}:", *said]))
    return output.decode()
