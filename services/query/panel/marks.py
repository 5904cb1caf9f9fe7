"""The small drawings in rows: mini bars and heat strips as numbers for SVG. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from schemas.vocabulary import SESSION_STATUS, words

STRIP: Final = 20
PITCH: Final = 7
BASE: Final = 18
HEIGHTS: Final[Mapping[str, int]] = {
    "finished": 6, "finished_with_issues": 11, "report_incomplete": 11, "errors": 16, "timed_out": 16, "cancelled": 3,
    "running": 6, "none": 2,
}  # fmt: skip
PARTS: Final = (
    ("bad", ("failing",)),
    ("time", ("late", "stuck")),
    ("warn", ("partial",)),
    ("ok-soft", ("healthy",)),
    ("rest", ("new", "disabled")),
)


class Piece(NamedTuple):
    """One coloured piece of a bar, in the units of its drawing."""

    fill: str
    x: float
    width: float


def pieces(amounts: Sequence[tuple[str, float]], width: float, least: float = 2.0, gap: float = 1.0) -> list[Piece]:
    """Divide `width` among the amounts in order; whatever is not zero gets at least `least`, the greatest gives it."""
    shown = [(fill, amount) for fill, amount in amounts if amount > 0]
    total = sum(amount for _, amount in shown)
    if not shown:
        return []
    room = width - gap * (len(shown) - 1)
    sizes = [max(least, room * amount / total) for _, amount in shown]
    greatest = sizes.index(max(sizes))
    sizes[greatest] -= sum(sizes) - room
    drawn, x = [], 0.0
    for (fill, _), size in zip(shown, sizes, strict=True):
        drawn.append(Piece(fill, round(x, 2), round(size, 2)))
        x += size + gap
    return drawn


def user_bar(counts: Mapping[str, int], width: float = 118) -> list[Piece]:
    """Return the mini bar of users by status: failing, late and stuck, partial, healthy, then the rest."""
    amounts = [(fill, float(sum(counts.get(status) or 0 for status in statuses))) for fill, statuses in PARTS]
    return pieces(amounts, width)


def strip_paths(statuses: Sequence[str]) -> list[tuple[str, str]]:
    """Return one SVG path per status for a strip, oldest left; missing sessions are flat marks at the left."""
    shown = ["none"] * (STRIP - len(statuses[-STRIP:])) + list(statuses[-STRIP:])
    paths: dict[str, list[str]] = {}
    for index, status in enumerate(shown):
        paths.setdefault(status, []).append(_mark(index, HEIGHTS.get(status, 3)))
    return [(status, "".join(drawn)) for status, drawn in paths.items()]


@cache
def _mark(index: int, height: int) -> str:
    """Return the path of one mark of a strip; a page has 2,000 of them, of which few differ."""
    x, y = index * PITCH + 0.5, BASE - height + 0.5
    return f"M{x:g} {y:g}h4v{height - 1}h-4z"


def strip_words(statuses: Sequence[str]) -> str:
    """Return a strip as a sentence: `9 finished, 2 errors`."""
    counts = Counter(statuses).most_common()
    said = (f"{count} {words(SESSION_STATUS, status).replace('_', ' ')}" for status, count in counts)
    return ", ".join(said) or "no session yet"
