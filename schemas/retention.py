"""How long what is kept; what started before that has no day to go to."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Of what is stored. Open issues are kept for ever."""

    sessions: timedelta = timedelta(days=30)
    logs: timedelta = timedelta(days=14)
    closed_issues: timedelta = timedelta(days=90)
    roll_ups: timedelta = timedelta(days=400)
    status_changes: timedelta = timedelta(days=400)
    audit: timedelta = timedelta(days=400)
    rejects: timedelta = timedelta(days=400)
    sign_ins: timedelta = timedelta(days=30)

    def of_table(self, parent: str) -> timedelta:
        """Return how long the days of a table of days are kept."""
        return self.logs if parent == "log_chunk" else self.sessions


KEPT: Final = Kept()
LONGEST_EXPORT: Final = timedelta(days=1)
"""No export takes as long: one that does after ten minutes is cut (services/query/exports/sink.py)."""
