"""A session that only takes down what it is told."""

from __future__ import annotations

from collections import Counter
from typing import Any

from schemas.events import Direction, LogLevel, Operation

Key = tuple[str, Direction, Operation]


class Recorder:
    """Stands where a pass expects the agent library's session."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, Direction, str]] = Counter()
        self.issues: list[dict[str, Any]] = []
        self.over: list[dict[str, Any]] = []
        self.seconds: dict[str, float] = {}
        self.said = ""
        self.lines: list[dict[str, Any]] = []

    def count(self, object_type: str, direction: Direction, **counts: int) -> None:
        for name, number in counts.items():
            self.counts[object_type, direction, name] += number

    def issue(self, **issue: Any) -> None:
        self.issues.append(issue)

    def resolved(self, **issue: Any) -> None:
        self.over.append(issue)

    def detail(self, text: str) -> None:
        self.said = text

    def spent(self, side: str, seconds: float) -> None:
        self.seconds[side] = seconds

    def log(self, level: LogLevel, source: str, message: str, exception: str | None = None, **names: Any) -> None:
        self.lines.append({"message": message, "exception": exception, **names})

    def of(self, direction: Direction) -> dict[str, int]:
        """The counts of appointments in one direction."""
        return {name: number for (_, towards, name), number in self.counts.items() if towards is direction}
