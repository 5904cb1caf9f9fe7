"""Exceptions as they are reported: what happened in the first line, then where, the innermost call last."""

import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, Final

_SEPARATORS: Final = re.compile(r"[/\\]")
_MOST_NESTED: Final = 4


def trace_of(error: BaseException) -> str:
    """Return `Type: message` and the calls that led there, innermost last; then the same of what caused it.

    Files are named from their package on, as in services/ingest/agent/http.py: no folder of the machine is told.
    """
    return "\n".join(_lines(error, set(), 0))


def _lines(error: BaseException, seen: set[int], nested: int) -> Iterator[str]:
    title = ""
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield title + _says(following)
        yield from _calls(following)
        if isinstance(following, BaseExceptionGroup) and nested < _MOST_NESTED:
            yield from _members(following, seen, nested + 1)
        title, following = _before(following)


def _members(group: BaseExceptionGroup[BaseException], seen: set[int], nested: int) -> Iterator[str]:
    for number, each in enumerate(group.exceptions, start=1):
        first, *others = _lines(each, seen, nested) if id(each) not in seen else ["told above"]
        yield f"  {number} of {len(group.exceptions)}: {first}"
        yield from (f"  {line}" for line in others)


def _before(error: BaseException) -> tuple[str, BaseException | None]:
    """Return what came before an exception, with the words that lead over to it."""
    if error.__cause__ is not None:
        return "Caused by ", error.__cause__
    return "While handling ", None if error.__suppress_context__ else error.__context__


def _says(error: BaseException) -> str:
    try:
        message = str(error)
    except Exception:
        message = "its message cannot be made"
    notes = [str(note) for note in getattr(error, "__notes__", ())]
    return "\n".join([f"{type(error).__name__}: {message}" if message else type(error).__name__, *notes])


def _calls(error: BaseException) -> list[str]:
    """Return the frames as lines; the many of a recursion that runs away are told once, with their number."""
    found = zip(traceback.walk_tb(error.__traceback__), traceback.extract_tb(error.__traceback__), strict=False)
    named = [
        traceback.FrameSummary(
            file_of(call.filename, frame.f_globals), call.lineno, call.name, lookup_line=False, line=call.line
        )
        for (frame, _), call in found
    ]
    return "".join(traceback.StackSummary.from_list(named).format()).splitlines()


def file_of(path: str, module: Mapping[str, Any]) -> str:
    """Return a path from the module's outermost package on; of a module that does not fit the path, its last part."""
    name = getattr(module.get("__spec__"), "name", None) or module.get("__name__")
    names = name.split(".") if isinstance(name, str) else []
    steps = _SEPARATORS.split(path)
    stems = [*steps[:-1], steps[-1].rpartition(".")[0] or steps[-1]]
    for package in (names, [*names, "__init__"]):
        if package and stems[-len(package) :] == package:
            return "/".join(steps[-len(package) :])
    return steps[-1]
