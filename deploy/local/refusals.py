"""Why the launcher does not start: always one sentence, never a traceback."""

from __future__ import annotations

import errno


class Refusal(Exception):
    """Ends the launcher with `code` and its one sentence."""

    code = 1


class BadInput(Refusal):
    """What the user set cannot be used: exit code 2."""

    code = 2


class CannotRun(Refusal):
    """This machine lacks something: exit code 3."""

    code = 3


def from_os(error: OSError) -> Refusal:
    """Turn an error of the operating system into a sentence for people."""
    where = f" at {error.filename}" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return CannotRun(f"The disk is full{where}: make room, or name another folder with STATE_DIR.")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return CannotRun(f"This user may not write{where}: name another folder with STATE_DIR.")
    return CannotRun(f"The operating system refused: {error}.")
