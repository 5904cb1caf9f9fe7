"""Log lines as they are drawn: marks of a search, lost parts in their place, and the strip above. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from schemas.folding import fold
from services.query.logs import Wanted

LEVELS: Final = ("error", "warning", "info", "debug")
LEVEL_ICON: Final = {"error": "octagon-x", "warning": "warning", "info": "ring", "debug": "dash"}
COLUMNS: Final = 96


def narrowed(wanted: Wanted) -> bool:
    """Whether lines are left out by a search, a level or a source: gaps have no place between them then."""
    return bool(wanted.text or wanted.level or wanted.source)


def drawn(
    lines: Sequence[Mapping[str, Any]], gaps: Sequence[Mapping[str, Any]], *, text: str = "", whole: bool = True
) -> list[dict[str, Any]]:  # fmt: skip
    """Return lines and, where they are missing, what says so; both in order."""
    made: list[dict[str, Any]] = []
    left = list(gaps) if whole else []
    for line in lines:
        while (
            left
            and left[0]["before_line"] is not None
            and (left[0]["attempt"], left[0]["before_line"]) <= (line["attempt"], line["line"])
        ):
            made.append({"lost": left.pop(0)})
        made.append({
            "number": line["position"], "at": moment(line["at"]), "level": line["level"],
            "icon": LEVEL_ICON.get(line["level"], "ring"), "source": line["source"],
            "pieces": marked(line["message"], text), "exception": line["exception"],
        })  # fmt: skip
    return made + [{"lost": gap} for gap in left]


def moment(text: str | None) -> datetime | None:
    """Return a line's time, None where it has none that can be read."""
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return at if at and at.tzinfo else None


def marked(message: str, text: str) -> list[tuple[str, bool]]:
    """Divide a message into pieces, those that match marked; matched as the search does, where lengths agree."""
    wanted, folded = fold(text), fold(message)
    if not wanted or len(folded) != len(message):
        return [(message, False)]
    pieces, at = [], 0
    while (found := folded.find(wanted, at)) >= 0:
        pieces += [(message[at:found], False), (message[found : found + len(wanted)], True)]
        at = found + len(wanted)
    return [piece for piece in (*pieces, (message[at:], False)) if piece[0]]


def strip(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return how many lines of which level there are over time, as bars in a drawing of 960 by 40."""
    timed = [(at, line["level"]) for line in lines if (at := moment(line["at"]))]
    if len(timed) < 2:
        return None
    first, last = min(at for at, _ in timed), max(at for at, _ in timed)
    width = max((last - first).total_seconds(), 1.0) / COLUMNS
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
    return {"bars": bars, "first": first, "last": last}


def query(wanted: Wanted, after: int) -> str:
    """Return the address of another part of the same search."""
    values = [("text", wanted.text), *(("level", each) for each in wanted.level.split(",")),
              *(("source", each) for each in wanted.source.split(",")), ("after", str(after or ""))]  # fmt: skip
    return urlencode([(name, value) for name, value in values if value], quote_via=quote)
