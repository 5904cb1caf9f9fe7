"""Log lines as they are drawn: marks of a search, lost parts in their place, and the strip above. Pure."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import inf
from typing import Any, Final

from schemas import vocabulary
from schemas.folding import fold

LEVELS: Final = ("error", "warning", "info", "debug")
LEVEL_ICON: Final = {"error": "octagon-x", "warning": "warning", "info": "ring", "debug": "dash"}
COLUMNS: Final = 96
_folded: Final = lru_cache(4096)(fold)


Key = tuple[int, float]


def drawn(
    lines: Sequence[Mapping[str, Any]], gaps: Sequence[Mapping[str, Any]], *, text: str = "",
    matches: Sequence[int] = (), at: int = 0,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return lines and, where some are missing, the gap that says so; both in order.

    A gap knows the number of the line it stands `before`; one behind all lines has none (0).
    A line whose position is among the `matches` of the search has its `hit`, every other one None. The one at `at` is
    `here`.
    """
    made: list[dict[str, Any]] = []
    left = list(gaps)
    for line in lines:
        while left and place_of(left[0]) <= (line["attempt"], line["line"]):
            made.append({"gap": left.pop(0), "before": line["position"]})
        pieces = marked(line["message"], text)
        if line["exception"]:
            pieces += [("\n", False), *marked(line["exception"], text)]
        made.append({
            "number": line["position"], "at": moment(line["at"]), "level": line["level"],
            "icon": LEVEL_ICON.get(line["level"], "ring"),
            "source": vocabulary.words(vocabulary.LOG_SOURCE, line["source"]),
            "pieces": pieces, "hit": _hit(matches, line["position"]), "here": line["position"] == at,
        })  # fmt: skip
    return made + [{"gap": gap, "before": 0} for gap in left]


def drops(chunks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return where the agent dropped lines, as gaps: `dropped` of them before line `before_line` of an attempt."""
    return [
        {"attempt": chunk["attempt"], "dropped": chunk["dropped_lines"], "before_line": chunk["first_line"]}
        for chunk in chunks if chunk["dropped_lines"]
    ]  # fmt: skip


def place_of(gap: Mapping[str, Any]) -> Key:
    """Return before which line a gap stands; one at the end stands behind all lines of its attempt."""
    return gap["attempt"], inf if gap["before_line"] is None else gap["before_line"]


def gaps_of_page(
    gaps: Sequence[Mapping[str, Any]], first: Mapping[str, Any] | None, following: Mapping[str, Any] | None
) -> list[Mapping[str, Any]]:  # fmt: skip
    """Return the gaps that stand on one page of whole lines: from its first line on, up to the first of the next page.

    `first` is None on the first page, `following` on the last: what is missing there stands at that edge.
    """
    return [
        gap for gap in gaps
        if (first is None or place_of(gap) >= (first["attempt"], first["line"]))
        and (following is None or place_of(gap) < (following["attempt"], following["line"]))
    ]  # fmt: skip


def moment(text: str | None) -> datetime | None:
    """Return a line's time, None where it has none that can be read."""
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return at if at and at.tzinfo else None


def marked(message: str, text: str) -> list[tuple[str, bool]]:
    """Divide a message into pieces, those that match marked; matched as the search does, in whole letters."""
    wanted = fold(text)
    if not wanted:
        return [(message, False)]
    letters = [_folded(letter) for letter in message]  # one may fold to two, as ß, or to none, as an accent of its own
    folded = "".join(letters)
    owner = [index for index, letter in enumerate(letters) for _ in letter]
    pieces, end, at = [], 0, 0
    while (found := folded.find(wanted, at)) >= 0:
        at = found + len(wanted)
        start, before = max(owner[found], end), end
        end = owner[at] if at < len(owner) else len(message)
        if end == owner[at - 1]:
            end += 1  # the match ends within a letter
        pieces += [(message[before:start], False), (message[start:end], True)]
    return [piece for piece in (*pieces, (message[end:], False)) if piece[0]]


def strip(lines: Sequence[Mapping[str, Any]], shown: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return lines by level over time, as bars in a drawing of 960 by 40, and which part of it is shown."""
    timed = [(at, line["level"]) for line in lines if (at := moment(line["at"]))]
    if len(timed) < 2:
        return None
    first, last = min(at for at, _ in timed), max(at for at, _ in timed)
    width = max((last - first).total_seconds(), 0.001) / COLUMNS
    columns: list[dict[str, int]] = [{} for _ in range(COLUMNS)]
    for at, level in timed:
        column = columns[min(COLUMNS - 1, int((at - first).total_seconds() / width))]
        column[level] = column.get(level, 0) + 1
    most = max(sum(column.values()) for column in columns)
    bars = []
    for index, column in enumerate(columns):
        y = 38.0
        for level in reversed(LEVELS):
            height = round(34 * column.get(level, 0) / most, 1)
            if height:
                y -= height
                bars.append((level, index * 10 + 1, round(y, 1), height))
    seen = [(at - first).total_seconds() / width for line in shown if (at := moment(line["at"]))]
    view = None
    if seen and len(shown) < len(lines):
        left = round(10 * min(seen), 1)
        view = (left, round(max(8.0, min(10 * max(seen) + 10, 960.0) - left), 1))
    return {"bars": bars, "first": first, "last": last, "view": view}


@dataclass(frozen=True, slots=True)
class Hits:
    """Where a search stands: the match at hand, its number among how many, those before and after it (0: none)."""

    number: int
    count: int
    at: int
    before: int
    after: int


def _hit(matches: Sequence[int], position: int) -> Hits | None:
    found = hits(matches, position)
    return found if found.at == position else None


def hits(positions: Sequence[int], at: int) -> Hits:
    """Return the matches around position `at`; where it is none itself, the next one is at hand."""
    index = min(bisect_left(positions, at), len(positions) - 1)
    if index < 0:
        return Hits(0, 0, 0, 0, 0)
    before = positions[index - 1] if index else 0
    after = positions[index + 1] if index + 1 < len(positions) else 0
    return Hits(index + 1, len(positions), positions[index], before, after)
