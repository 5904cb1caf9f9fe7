"""The reject brake: a bad deploy must not drain a topic, and one hostile organization must not stop a partition.

More than 10 % of the last 1,000 events of a partition rejected, or 100 in a row, pull it. What the organization with
the most rejects sent is left out of both: one alone, however fast it sends, is muted and never stops the others.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final
from uuid import UUID

WINDOW: Final = 1_000
SHARE: Final = 0.10
IN_A_ROW: Final = 100


class Brake:
    """What is remembered of one partition. Never changes; `after` makes the next."""

    __slots__ = ("_of_row", "_of_window", "_recent", "_row_ends", "_seen", "is_pulled")

    def __init__(self) -> None:
        self.is_pulled = False
        self._seen = 0
        self._recent: deque[tuple[int, UUID | None]] = deque()
        self._of_window: Counter[UUID | None] = Counter()
        self._of_row: Counter[UUID | None] = Counter()
        self._row_ends = -1

    def after(self, count: int, rejected: Iterable[tuple[int, UUID | None]]) -> tuple["Brake", int | None]:
        """Return the brake after `count` further events, and the index of the one that pulled it, or None.

        `rejected` holds (index among these events, organization) in rising order. Where the brake is pulled, the
        events behind that index must not be taken.
        """
        brake = self._copy()
        for index, organization_id in rejected:
            if brake._is_pulled_by(self._seen + index, organization_id):
                brake._seen = self._seen + index + 1
                brake.is_pulled = True
                return brake, index
        brake._seen = self._seen + count
        return brake, None

    def _copy(self) -> "Brake":
        brake = Brake()
        brake._seen, brake._row_ends = self._seen, self._row_ends
        brake._recent = self._recent.copy()
        brake._of_window, brake._of_row = self._of_window.copy(), self._of_row.copy()
        return brake

    def _is_pulled_by(self, number: int, organization_id: UUID | None) -> bool:
        self._recent.append((number, organization_id))
        self._of_window[organization_id] += 1
        while self._recent[0][0] <= number - WINDOW:
            _, forgotten = self._recent.popleft()
            self._of_window[forgotten] -= 1
        if number != self._row_ends + 1:
            self._of_row.clear()
        self._row_ends = number
        self._of_row[organization_id] += 1
        return _without_the_loudest(self._of_window) > WINDOW * SHARE or _without_the_loudest(self._of_row) >= IN_A_ROW


def _without_the_loudest(rejects: Counter[UUID | None]) -> int:
    """Count rejects without those of the organization that has most. Unreadable ones are nobody's: they count."""
    loudest = max((count for organization_id, count in rejects.items() if organization_id is not None), default=0)
    return rejects.total() - loudest
