"""One side of a pass under watch: every call goes on to the true storage, and into the books."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from vdirsyncer.storage.base import Storage
from vdirsyncer.sync.exceptions import SyncConflict
from vdirsyncer.vobject import Item

from schemas.events import Direction, Failure, Operation
from services.ingest.connectors.caldav_crm.appointments import Unreadable, name_of, parse, same
from services.ingest.connectors.caldav_crm.books import SIDES, TOWARDS, Books, Change, Trouble
from services.ingest.connectors.caldav_crm.failures import (
    PassFailed,
    Side,
    error_code,
    explain,
    is_of_one_object,
    of_whole_mailbox,
)
from services.ingest.connectors.caldav_crm.sessionlog import at_hand, nameless

Clock = Callable[[], float]

# Lines about a side come from that side's logger, so that a log can be read side by side.
_LOGS: Final = {
    Side.MAIL: logging.getLogger(f"{__package__}.calendar"),
    Side.CRM: logging.getLogger(f"{__package__}.crm"),
    Side.ENGINE: logging.getLogger(f"{__package__}.passes"),
}


class Skipped(Exception):
    """A change that we do not make on purpose."""


class Refused(Exception):
    """A change that failed and stands in the books already."""


@dataclass(slots=True)
class Watch:
    """What both sides of one pass share. Once `given_up` is set, no side is asked anything more."""

    books: Books
    clock: Clock = time.perf_counter
    given_up: PassFailed | None = None
    texts: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def timed(self, side: Side) -> Iterator[None]:
        """Count the time spent on `side`."""
        begun = self.clock()
        try:
            yield
        finally:
            self.books.seconds[side] += self.clock() - begun

    def give_up(self, error: BaseException, side: Side, doing: str = "comparing both sides") -> PassFailed:
        """End the pass: what was done stays done, what is left is left for the next."""
        if self.given_up is None:
            self.books.stopped_while = doing
            failure = _nameless(explain(error, side))
            self.given_up = PassFailed(of_whole_mailbox(failure))
            self.given_up.__cause__ = error
            _LOGS[side].error("Given up: %s", failure.message, exc_info=error)
        return self.given_up

    def refuse(self, trouble: Trouble, side: Side) -> None:
        """Note that one change did not go through."""
        self.books.refused(trouble)
        _LOGS[side].warning(
            "Not done (code %d, %s): %s: %s",
            trouble.error_code,
            trouble.failure.category,
            trouble.change,
            trouble.failure.message,
        )


class Watched(Storage):  # type: ignore[misc]  # vdirsyncer is untyped
    """A storage that keeps the books of what is asked of `inner`.

    `ident_of(href)` names the object of a row that is to be deleted: the engine gives only its address.
    """

    def __init__(self, inner: Storage, side: Side, watch: Watch, ident_of: Callable[[str], str]) -> None:
        super().__init__(instance_name=str(inner.instance_name))
        self._inner = inner
        self._side = side
        self._watch = watch
        self._ident_of = ident_of

    async def list(self) -> AsyncIterator[tuple[str, str]]:
        with self._reading():
            found = [entry async for entry in self._inner.list()]
        _LOGS[self._side].info("%r: %d objects", self, len(found))
        self._watch.books.listed(self._side, len(found))
        for href, etag in found:
            yield href, etag

    async def get(self, href: str) -> tuple[Item, str]:
        with self._reading():
            item, etag = await self._inner.get(href)
            return item, etag

    async def get_multi(self, hrefs: Iterable[str]) -> AsyncIterator[tuple[str, Item, str]]:
        with self._reading():
            found = [entry async for entry in self._inner.get_multi(hrefs)]
        _LOGS[self._side].info("%r: new or changed: %d", self, len(found))
        for href, item, etag in found:
            self._watch.texts[item.ident] = item.raw
            yield href, item, etag

    async def upload(self, item: Item) -> tuple[str, str | None]:
        with self._changing(self._change(Operation.CREATE, item.ident, item.raw)):
            self._leave_out_private(item)
            href, etag = await self._inner.upload(item)
            return href, etag

    async def update(self, href: str, item: Item, etag: str) -> str | None:
        with self._changing(self._change(Operation.UPDATE, item.ident, item.raw, href)):
            self._leave_out_private(item)
            changed: str | None = await self._inner.update(href, item, etag)
            return changed

    async def delete(self, href: str, etag: str) -> None:
        ident = self._ident_of(href)
        text = await self._text_before_deletion(ident, href)
        with self._changing(self._change(Operation.DELETE, ident, text, href)):
            await self._inner.delete(href, etag)

    async def _text_before_deletion(self, ident: str, href: str) -> str:
        """Read what is about to go, for its name: the engine knows unchanged objects by their address only."""
        if ident not in self._watch.texts and self._watch.given_up is None:
            try:
                with self._watch.timed(self._side):
                    self._watch.texts[ident] = (await self._inner.get(href))[0].raw
            except Exception:
                return ""  # a name is never a reason to fail, and the deletion itself will meet the same trouble
        return self._watch.texts.get(ident, "")

    def _change(self, operation: Operation, ident: str, text: str, href: str | None = None) -> Change:
        return _change(ident, TOWARDS[self._side], operation, text, href)

    def _leave_out_private(self, item: Item) -> None:
        """What its owner marked as private stays out of the CRM."""
        if self._side is Side.CRM and parse(item.raw).private:
            raise Skipped

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Without a list of one side there is nothing to compare: any failure ends the pass."""
        with self._watch.timed(self._side):
            try:
                yield
            except Exception as error:
                raise self._watch.give_up(error, self._side, f"reading {SIDES[self._side]}") from error

    @contextmanager
    def _changing(self, change: Change) -> Iterator[None]:
        watch = self._watch
        if watch.given_up is not None:
            raise watch.given_up
        with watch.timed(self._side):
            try:
                yield
            except Skipped:
                watch.books.left_out(change)
                _LOGS[self._side].info("Left out, it is private: %s", change)
                raise
            except Exception as error:
                failure = explain(error, self._side)
                if not is_of_one_object(failure):
                    raise watch.give_up(error, self._side, f"changing {SIDES[self._side]}") from error
                watch.refuse(Trouble(change, error_code(error), failure), self._side)
                raise Refused from error
        watch.books.done(change)


def _change(ident: str, direction: Direction, operation: Operation, text: str, href: str | None = None) -> Change:
    name = name_of(text)
    at_hand(name)
    return Change(ident, direction, operation, name, href)


def _nameless(failure: Failure) -> Failure:
    """Return what ended a pass without names: none of its issues says that it is theirs."""
    exception = None if failure.exception is None else nameless(failure.exception)
    return msgspec.structs.replace(failure, message=nameless(failure.message), exception=exception)


def settle(one: Item, other: Item) -> Item:
    """Decide between two versions changed since the last pass: the same words are no conflict, anything else is one."""
    try:
        if same(one.raw, other.raw):
            return one
    except Unreadable:
        pass  # what cannot be compared is not the same
    raise SyncConflict(ident=one.ident)


def take_note(watch: Watch) -> Callable[[Exception], None]:
    """Make the engine's error callback: what the watched sides have not noted yet is a conflict or a bug."""

    def note(error: Exception) -> None:
        if isinstance(error, (Skipped, Refused, PassFailed)):
            return
        if isinstance(error, SyncConflict):
            text = watch.texts.get(str(error.ident), "")
            change = _change(str(error.ident), Direction.MAIL_TO_CRM, Operation.UPDATE, text)
            failure = explain(error, Side.ENGINE)
            watch.refuse(Trouble(change, error_code(error), failure, is_conflict=True), Side.ENGINE)
        else:
            watch.give_up(error, Side.ENGINE)

    return note


def identity_of(status: Any, side: Side) -> Callable[[str], str]:
    """Make `ident_of` out of the engine's status of earlier passes, where the calendar is side a."""
    look_up = status.get_by_href_a if side is Side.MAIL else status.get_by_href_b

    def ident_of(href: str) -> str:
        ident, _ = look_up(href)
        return str(ident or href)

    return ident_of
