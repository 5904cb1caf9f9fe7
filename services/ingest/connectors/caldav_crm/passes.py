"""One pass of one user: the engine between two watched sides, its books told to the session."""

from __future__ import annotations

import logging
import time
from typing import Protocol, TypedDict

from vdirsyncer.storage.base import Storage
from vdirsyncer.sync import sync
from vdirsyncer.sync.status import SqliteStatus

from schemas.events import MAX_NAME_CHARACTERS, Direction, Failure, Operation
from services.ingest.connectors.caldav_crm.appointments import OBJECT_TYPE
from services.ingest.connectors.caldav_crm.books import WORDS, Books, Change
from services.ingest.connectors.caldav_crm.failures import PassFailed, Side
from services.ingest.connectors.caldav_crm.memory import Memory
from services.ingest.connectors.caldav_crm.sessionlog import at_hand
from services.ingest.connectors.caldav_crm.watch import Clock, Watch, Watched, identity_of, settle, take_note
from services.ingest.connectors.caldav_crm.world import Person

log = logging.getLogger(__name__)


class Identity(TypedDict):
    """What makes an issue the same issue in every pass, and how it is called."""

    object_type: str
    object_name: str
    object_id: str | None
    counterpart_id: str | None
    direction: Direction
    operation: Operation


class Session(Protocol):
    """What a pass tells: the part of the agent library's session that it uses."""

    def count(
        self,
        object_type: str,
        direction: Direction,
        *,
        fetched: int = 0,
        created: int = 0,
        updated: int = 0,
        deleted: int = 0,
        skipped: int = 0,
        failed: int = 0,
        conflicts: int = 0,
    ) -> None: ...

    def issue(
        self,
        *,
        object_type: str,
        object_name: str,
        object_id: str | None,
        counterpart_id: str | None,
        direction: Direction,
        operation: Operation,
        error_code: int,
        error_text: str,
        error: Failure | None,
        attempts: int,
    ) -> None: ...

    def resolved(
        self,
        *,
        object_type: str,
        object_name: str,
        object_id: str | None,
        counterpart_id: str | None,
        direction: Direction,
        operation: Operation,
        resolution: str,
    ) -> None: ...

    def detail(self, text: str) -> None: ...

    def spent(self, side: str, seconds: float) -> None: ...


async def sync_person(
    person: Person, calendar: Storage, crm: Storage, memory: Memory, session: Session, clock: Clock = time.perf_counter
) -> Books:
    """Bring the two sides of one person together and tell `session` what happened.

    Single objects that are refused become issues. Raises PassFailed where the pass had to be given up; what was done
    until then stands in the session all the same.
    """
    watch = Watch(Books(), clock)
    begun = clock()
    try:
        with memory.status_of(person.user_id) as status:
            await _run(watch, calendar, crm, status)
            both = set(status.iter_old())
    finally:
        _tell(watch.books, clock() - begun, person, memory, session)
    for closed in memory.over(person.user_id, watch.books.troubles, watch.books.skipped, both):
        at_hand(closed.change.name)
        log.info("Issue over (%s): %s", closed.resolution, closed.change)
        session.resolved(**_identity(closed.change), resolution=closed.resolution)
        memory.forget(person.user_id, closed.change)
    return watch.books


async def _run(watch: Watch, calendar: Storage, crm: Storage, status: SqliteStatus) -> None:
    """Let the engine do its work; whatever ends it comes out as PassFailed."""
    sides = (
        Watched(calendar, Side.MAIL, watch, identity_of(status, Side.MAIL)),
        Watched(crm, Side.CRM, watch, identity_of(status, Side.CRM)),
    )
    try:
        await sync(*sides, status, conflict_resolution=settle, error_callback=take_note(watch))
    except PassFailed:
        raise
    except Exception as error:
        raise watch.give_up(error, Side.ENGINE) from error
    if watch.given_up is not None:
        raise watch.given_up


def _tell(books: Books, seconds: float, person: Person, memory: Memory, session: Session) -> None:
    for direction in Direction:
        if counts := books.of_direction(direction):
            session.count(OBJECT_TYPE, direction, **counts)
            log.info("%s: %s", WORDS[direction], ", ".join(f"{name} {number}" for name, number in counts.items()))
    for trouble in books.troubles:
        attempts = memory.opened(person.user_id, trouble)
        session.issue(
            **_identity(trouble.change),
            error_code=trouble.error_code,
            error_text=trouble.failure.message,
            error=trouble.failure,
            attempts=attempts,
        )
    if detail := books.detail():
        session.detail(detail)
    mail, crm = books.seconds[Side.MAIL], books.seconds[Side.CRM]
    session.spent("mail", mail)
    session.spent("crm", crm)
    session.spent("engine", max(0.0, seconds - mail - crm))


def _identity(change: Change) -> Identity:
    return Identity(
        object_type=OBJECT_TYPE,
        object_name=change.name[:MAX_NAME_CHARACTERS],
        object_id=change.ident[:MAX_NAME_CHARACTERS],
        counterpart_id=change.counterpart_id,
        direction=change.direction,
        operation=change.operation,
    )
