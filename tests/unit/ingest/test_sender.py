"""What the agent library does with every answer of the other side (A5, A6, A7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.ingest.agent import sender as sender_module
from services.ingest.agent.http import outcomes, retry_after
from services.ingest.agent.outbox import Outbox
from services.ingest.agent.sender import Sender
from services.ingest.agent.spool import Item, Rank
from services.ingest.agent.transport import Fate, NotNow, Outcome, Stopped, TooMuch

STORED, AGAIN = Outcome(Fate.STORED), Outcome(Fate.AGAIN, 503)
REFUSED = Outcome(Fate.REFUSED, 422, "bad_value")
Answer = Callable[[list[str]], list[Outcome]]


class Script:
    """A transport that gives the scripted answers, then takes everything; `batches` is what it was sent."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.batches: list[list[str]] = []

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        self.batches.append([value.decode() for value in values])
        answer = self.answers.pop(0) if self.answers else lambda batch: [STORED] * len(batch)
        return answer(self.batches[-1])


def raising(error: Exception) -> Answer:
    def answer(batch: list[str]) -> list[Outcome]:
        raise error

    return answer


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds the sender chose to wait; no time passes."""
    chosen: list[float] = []
    sleep = asyncio.sleep

    async def short(seconds: float) -> None:
        chosen.append(seconds)
        await sleep(0)

    monkeypatch.setattr(sender_module.asyncio, "sleep", short)
    return chosen


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    outbox = Outbox(tmp_path / "spool.db", "agent-1", 10**9, lambda kind, value: None)
    await outbox.open()
    writing = asyncio.create_task(outbox.keep_writing())
    yield outbox
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await outbox.close()


async def run(outbox: Outbox, script: Script, *names: str) -> Sender:
    """Send the named events until nothing is left or the sender stops."""
    await asyncio.gather(*(outbox.put(Item("session", Rank.END, name.encode(), 0.0)) for name in names))
    sender = Sender(outbox, script, spread_s=30.0)
    task = asyncio.create_task(sender.run())
    async with asyncio.timeout(60):
        while not task.done() and not (sender.idle.is_set() and outbox.pending == 0):
            await asyncio.wait([task], timeout=0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return sender


async def test_c04_a_207_sets_aside_what_is_refused_and_sends_again_what_is_unknown(
    outbox: Outbox, waits: list[float]
) -> None:
    script = Script(lambda batch: [STORED, REFUSED, STORED, Outcome(Fate.REFUSED, 403, "foreign_organization"), AGAIN])
    sender = await run(outbox, script, "a", "b", "c", "d", "e")
    assert script.batches == [["a", "b", "c", "d", "e"], ["e"]]
    assert outbox.set_aside == {"bad_value": 1, "foreign_organization": 1}
    assert sender.acknowledged == {"session": 3}
    assert len(waits) == 1


async def test_c04_a_503_for_all_sends_all_again(outbox: Outbox, waits: list[float]) -> None:
    script = Script(raising(NotNow("503", 5.0)))
    await run(outbox, script, "a", "b")
    assert script.batches == [["a", "b"]] * 2


async def test_a6_retry_after_is_obeyed_and_the_return_is_spread(outbox: Outbox, waits: list[float]) -> None:
    script = Script(*[raising(NotNow("429", 5.0))] * 60)
    await run(outbox, script, "a")
    assert all(5.0 <= wait <= 35.0 for wait in waits)
    assert max(waits) - min(waits) > 15


async def test_an_outage_is_waited_out_ever_longer(outbox: Outbox, waits: list[float]) -> None:
    script = Script(*[raising(NotNow("away"))] * 12)
    sender = await run(outbox, script, "a")
    assert waits[0] <= 0.5
    assert waits[5] > waits[0] * 8
    assert max(waits) <= 60
    assert sender.trouble is None


async def test_a7_a_413_halves_the_batch_and_sets_aside_only_the_one(outbox: Outbox, waits: list[float]) -> None:
    def too_large(batch: list[str]) -> list[Outcome]:
        if "big" in batch:
            raise TooMuch(Outcome(Fate.REFUSED, 413, "too_large"))
        return [STORED] * len(batch)

    names = [f"e{number}" for number in range(9)]
    script = Script(*[too_large] * 50)
    sender = await run(outbox, script, *names[:5], "big", *names[5:])
    assert outbox.set_aside == {"too_large": 1}
    assert sender.acknowledged == {"session": 9}
    assert ["big"] in script.batches
    assert len(script.batches) < 12


async def test_a7_without_the_right_sending_stops_and_everything_is_kept(outbox: Outbox, waits: list[float]) -> None:
    script = Script(raising(Stopped("the gateway answers 401: the token is revoked")))
    sender = await run(outbox, script, "a", "b")
    assert sender.stopped == "the gateway answers 401: the token is revoked"
    assert outbox.pending == 2
    assert len(script.batches) == 1


TABLE: list[tuple[int, dict[str, str], Any]] = [
    (202, {}, [Fate.STORED, Fate.STORED]),
    (400, {}, TooMuch),
    (401, {}, Stopped),
    (403, {}, Stopped),
    (408, {}, NotNow),
    (413, {}, TooMuch),
    (415, {}, NotNow),
    (422, {}, TooMuch),
    (429, {"Retry-After": "7"}, NotNow),
    (500, {}, NotNow),
    (502, {}, NotNow),
    (503, {"Retry-After": "2.5"}, NotNow),
    (301, {}, NotNow),
    (200, {}, NotNow),
]


@pytest.mark.parametrize(("status", "headers", "expected"), TABLE)
def test_a7_the_table_of_all_codes(status: int, headers: dict[str, str], expected: Any) -> None:
    if isinstance(expected, list):
        assert [outcome.fate for outcome in outcomes(status, headers, b"{}", 2)] == expected
    else:
        with pytest.raises(expected):
            outcomes(status, headers, b"<html>not JSON</html>", 2)


def test_a7_a_207_is_read_by_index_and_silence_is_unknown() -> None:
    results = [{"index": 2, "id": "c", "status": 202}, {"index": 0, "id": "a", "status": 422, "reason": "bad_value"},
               {"index": 9, "id": "z", "status": 202}]  # fmt: skip
    body = msgspec.json.encode({"accepted": 1, "results": results})
    found = outcomes(207, {}, body, 4)
    assert [outcome.fate for outcome in found] == [Fate.REFUSED, Fate.AGAIN, Fate.STORED, Fate.AGAIN]
    assert found[0].reason == "bad_value"
    with pytest.raises(NotNow):
        outcomes(207, {}, b"oops", 4)


def test_retry_after_may_be_a_fraction_or_a_date() -> None:
    now = datetime(2026, 11, 12, 3, 10, tzinfo=UTC)
    assert retry_after("2.5", now.timestamp()) == 2.5
    assert retry_after(format_datetime(now, usegmt=True), now.timestamp() - 8) == 8
    assert retry_after("-5", 0) == 0
    assert retry_after("1e9", 0) == 3600
    for nonsense in (None, "", "soon", "nan"):
        assert retry_after(nonsense, 0) is None
