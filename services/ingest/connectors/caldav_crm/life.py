"""Life: people edit their calendars and CRM records, and things go wrong and are mended, as a seeded generator says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Final

import aiohttp
import asyncpg
import orjson
from vdirsyncer import exceptions as vdir

from services.ingest.connectors.caldav_crm.faults import FAULTS, Memo, make_an_edit, person_of
from services.ingest.connectors.caldav_crm.hands import Hands
from services.ingest.connectors.caldav_crm.plan import OPENING, Plan
from services.ingest.connectors.caldav_crm.stopping import pause
from services.ingest.connectors.caldav_crm.world import Person, everybody

log = logging.getLogger(__name__)

GRACE_S: Final = 1.5
MEND_S: Final = 3.0

# What people meet when a system is away, shut or was faster: they try something else later.
_BAD_LUCK: Final = (aiohttp.ClientError, vdir.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


@dataclass(frozen=True, slots=True)
class Begun:
    """A fault that is going on."""

    fault: str
    user_id: str
    memo: Memo


class Journal:
    """The faults that are going on, on disk: whoever comes next can mend them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.begun: list[Begun] = [Begun(**each) for each in orjson.loads(path.read_bytes())] if path.exists() else []

    def add(self, begun: Begun) -> None:
        """Note a fault that has begun."""
        self.begun.append(begun)
        self._write()

    def remove(self, begun: Begun) -> None:
        """Strike out a fault that is mended."""
        self.begun.remove(begun)
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_bytes(orjson.dumps([asdict(each) for each in self.begun]))
        beside.replace(self._path)


def journal_of(state_dir: Path) -> Journal:
    """Open the journal in the connector's state folder."""
    return Journal(state_dir / "life" / "journal.json")


class Life:
    """Two systems' worth of people. `clock` gives seconds, `now` the date appointments are made from.

    `opening` names faults by the step in which they come, before chance decides.
    """

    def __init__(
        self,
        hands: Hands,
        journal: Journal,
        rng: Random,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        opening: Mapping[int, str] = OPENING,
    ) -> None:
        self._hands = hands
        self._journal = journal
        self._rng = rng
        self._now = now
        self._clock = clock
        self._mend_at: dict[str, float] = {}
        self._began = clock()
        self._plan = Plan(rng, opening)

    async def live(self, period_s: float, stop: asyncio.Event) -> None:
        """Let something happen every `period_s` seconds until `stop`, then mend what can be mended in a moment.

        What cannot stays in the journal, for the next life.
        """
        await self.mend_all()
        living = asyncio.create_task(self._go_on(period_s, stop))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({living, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({living}, timeout=GRACE_S)
        for task in (living, stopping):
            task.cancel()
        await asyncio.gather(living, stopping, return_exceptions=True)
        if not living.cancelled() and (bug := living.exception()) is not None:
            raise bug
        with suppress(TimeoutError):
            await asyncio.wait_for(self.mend_all(), MEND_S)

    async def _go_on(self, period_s: float, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.step()
            await pause(stop, period_s)

    async def step(self) -> None:
        """Mend what has lasted long enough, then let one thing happen."""
        for begun in list(self._journal.begun):
            if self._clock() >= self._mend_at.get(_key(begun), 0.0):
                await self.mend(begun)
        try:
            await self._something()
        except _BAD_LUCK as error:
            log.info("Could not: %s", error, extra={"action": "life_could_not"})

    async def begin(self, name: str, person: Person) -> Begun | None:
        """Begin a fault; None when there was nothing to act on."""
        memo = await FAULTS[name].begin(self._hands, person, self._rng, self._now())
        if memo is None:
            return None
        begun = Begun(name, str(person.user_id), memo)
        self._journal.add(begun)
        self._mend_at[_key(begun)] = self._clock() + self._rng.uniform(*FAULTS[name].lasts_s)
        log.info("Begun: %s, %s", name, person.email, extra={"action": "fault_begun"})
        return begun

    async def mend(self, begun: Begun) -> None:
        """End a fault. Where that does not work now it stays in the journal, for later."""
        person = person_of(begun.user_id)
        try:
            await FAULTS[begun.fault].mend(self._hands, person, begun.memo)
        except _BAD_LUCK as error:
            log.info("Not mended yet: %s, %s: %s", begun.fault, person.email, error, extra={"action": "fault_stays"})
            return
        self._journal.remove(begun)
        self._mend_at.pop(_key(begun), None)
        log.info("Mended: %s, %s", begun.fault, person.email, extra={"action": "fault_mended"})

    async def mend_all(self) -> None:
        """End every fault, those that touch everybody first: the others need both systems."""
        for begun in sorted(self._journal.begun, key=lambda each: not FAULTS[each.fault].is_wide):
            await self.mend(begun)

    async def edit(self, person: Person) -> None:
        """Let one person do something ordinary."""
        done = await make_an_edit(self._hands, person, self._rng, self._now())
        log.info("Edited: %s, %s", done, person.email, extra={"action": "edited"})

    async def _something(self) -> None:
        afflicted = {begun.user_id for begun in self._journal.begun}
        person = self._rng.choice([each for each in everybody() if str(each.user_id) not in afflicted])
        name = self._plan.next(self._clock() - self._began, [begun.fault for begun in self._journal.begun])
        if name is None or await self._begin_or_put_off(name, person) is None:
            await self.edit(person)

    async def _begin_or_put_off(self, name: str, person: Person) -> Begun | None:
        """Begin a fault; one that does not work yet, such as a disturbance of a first pass, comes again later."""
        begun = None
        try:
            begun = await self.begin(name, person)
        finally:
            if begun is None:
                self._plan.put_off(name)
        return begun


def _key(begun: Begun) -> str:
    return f"{begun.fault} {begun.user_id}"
