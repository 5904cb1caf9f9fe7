"""How events leave: what a transport promises, and the outcomes it may report."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Fate(enum.Enum):
    """What became of one event."""

    STORED = "stored"
    """Every replica has it: forget it."""
    REFUSED = "refused"
    """It can never be taken: set it aside."""
    AGAIN = "again"
    """Unknown or not now: send it again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one event; status, reason, pointer and detail as the other side gave them."""

    fate: Fate
    status: int = 202
    reason: str = ""
    pointer: str = ""
    detail: str = ""


class NotNow(Exception):
    """Nothing was taken for certain: send all again, not before `after_s` seconds."""

    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class TooMuch(Exception):
    """The batch as a whole was refused for its size or for something in it: send less at once."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class Stopped(Exception):
    """We may not send at all (token, authorization): keep what we have and say so."""


class Transport(Protocol):
    """Sends events. One batch at a time; order is kept within a batch and from batch to batch."""

    async def start(self) -> None:
        """Get ready; never raises because the other side is away."""

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        """Send encoded events and return the outcome of each; or raise NotNow, TooMuch or Stopped for all."""

    async def close(self) -> None:
        """Let go of connections."""
