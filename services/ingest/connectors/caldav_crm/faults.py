"""What goes wrong in the two systems: each fault can be begun and mended, and remembers in between what it did.

Faults act from the outside only. What `begin` returns is plain JSON, so that a life script that was killed can mend
what it left behind; None means that the fault found nothing to act on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Final
from uuid import UUID

from services.ingest.connectors.caldav_crm import stories
from services.ingest.connectors.caldav_crm.hands import Entry, Hands
from services.ingest.connectors.caldav_crm.world import ORGANIZATIONS, Person

Memo = dict[str, Any]
TOO_MUCH: Final = (
    "agenda, minutes of the last three meetings, and every document that came with them, in the order of receipt"
)
"""Longer by itself than the CRM's limit for a subject."""
FAR_SLOTS: Final = range(200, 2000)


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble. `lasts_s` is the span its length is drawn from; `is_wide` touches more than one person."""

    begin: Callable[[Hands, Person, Random, datetime], Awaitable[Memo | None]]
    mend: Callable[[Hands, Person, Memo], Awaitable[None]]
    lasts_s: tuple[float, float]
    is_wide: bool = False


async def _change_password(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    hands.change_password(person, f"changed-{rng.getrandbits(64):x}")
    return {}


async def _take_password_back(hands: Hands, person: Person, memo: Memo) -> None:
    hands.take_password_back(person)


async def _stop_server(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    hands.stop_calendar_server()
    try:
        await hands.wait_for_calendar_server(person, is_up=False)
    except BaseException:
        hands.start_calendar_server()  # half a fault is in no journal
        raise
    return {}


async def _start_server(hands: Hands, person: Person, memo: Memo) -> None:
    hands.start_calendar_server()
    await hands.wait_for_calendar_server(person, is_up=True)


async def _write_too_much(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    entry = await _any_entry(hands, person, rng)
    if entry is None:
        return None
    subject = f"{entry.appointment.subject}: {TOO_MUCH}"
    await hands.edit(person, entry, subject=subject)
    return {"uid": entry.appointment.uid, "subject": entry.appointment.subject}


async def _shorten(hands: Hands, person: Person, memo: Memo) -> None:
    if (entry := await hands.entry(person, memo["uid"])) is not None:
        await hands.edit(person, entry, subject=memo["subject"])


async def _enter_twice(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    entry = await _any_entry(hands, person, rng, in_both=True)
    if entry is None:
        return None
    uid = f"{entry.appointment.uid}-again-{rng.getrandbits(24):06x}"
    await hands.write_down(person, dataclasses.replace(entry.appointment, uid=uid), now)
    return {"uid": uid}


async def _strike_again(hands: Hands, person: Person, memo: Memo) -> None:
    if (entry := await hands.entry(person, memo["uid"])) is not None:
        await hands.strike(person, entry)


async def _edit_both(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    entry = await _any_entry(hands, person, rng, in_both=True)
    row = None if entry is None else await hands.event_of(person, entry.appointment.uid)
    if entry is None or row is None:
        return None
    here = stories.another_place(entry.appointment.location, rng)
    await hands.edit(person, entry, location=here)
    await hands.relocate_event(row["event_id"], stories.another_place(here, rng))
    return {"uid": entry.appointment.uid}


async def _agree(hands: Hands, person: Person, memo: Memo) -> None:
    """The calendar's owner gives in."""
    entry = await hands.entry(person, memo["uid"])
    row = await hands.event_of(person, memo["uid"])
    if entry is not None and row is not None:
        fields = {name: row[name] for name in ("subject", "location", "description", "starts_at", "ends_at", "all_day")}
        await hands.edit(person, entry, **fields)


async def _hold_row(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    return await _in_a_form(hands, person, rng, None)


async def _save_meanwhile(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    return await _in_a_form(hands, person, rng, "touch_event")


async def _remove_meanwhile(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    return await _in_a_form(hands, person, rng, "recycle_event")


async def _in_a_form(hands: Hands, person: Person, rng: Random, statement: str | None) -> Memo | None:
    """Edit an appointment in the calendar while somebody has it open in the CRM."""
    entry = await _any_entry(hands, person, rng, in_both=True)
    row = None if entry is None else await hands.event_of(person, entry.appointment.uid)
    if entry is None or row is None:
        return None
    uid = entry.appointment.uid
    await hands.edit(person, entry, location=stories.another_place(entry.appointment.location, rng))
    await hands.open_form_for_long(person, uid, row["event_id"], statement)
    return {"uid": uid}


async def _close_form(hands: Hands, person: Person, memo: Memo) -> None:
    await hands.close_forms(person)


async def _close_form_and_agree(hands: Hands, person: Person, memo: Memo) -> None:
    await hands.close_forms(person)
    await _agree(hands, person, memo)


async def _empty_crm(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    gone = await hands.recycle_all(person)
    return {"event_ids": [str(each) for each in gone]} if gone else None


async def _restore(hands: Hands, person: Person, memo: Memo) -> None:
    await hands.restore([UUID(each) for each in memo["event_ids"]])


async def _shut_crm(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    await hands.begin_maintenance()
    return {}


async def _open_crm(hands: Hands, person: Person, memo: Memo) -> None:
    await hands.end_maintenance()


async def _switch_off(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    reason = rng.choice(("manual", "manual", "authorization", "throttling"))
    await hands.switch_seat(person, on=False, reason=reason, by="admin" if reason == "manual" else "system")
    return {}


async def _switch_on(hands: Hands, person: Person, memo: Memo) -> None:
    await hands.switch_seat(person, on=True)


async def _switch_all_off(hands: Hands, person: Person, rng: Random, now: datetime) -> Memo | None:
    await hands.switch_organization(person.organization_id, on=False, reason="manual")
    return {}


async def _switch_all_on(hands: Hands, person: Person, memo: Memo) -> None:
    await hands.switch_organization(person.organization_id, on=True)


async def _any_entry(hands: Hands, person: Person, rng: Random, in_both: bool = False) -> Entry | None:
    """Choose one of a person's appointments; `in_both` only those that the CRM has too."""
    entries = await hands.entries(person)
    if in_both:
        known = {row["uid"] for row in await hands.events(person)}
        entries = [entry for entry in entries if entry.appointment.uid in known]
    return rng.choice(entries) if entries else None


FAULTS: Final[Mapping[str, Fault]] = {
    "wrong_password": Fault(_change_password, _take_password_back, (60, 150)),
    "oversized_subject": Fault(_write_too_much, _shorten, (60, 200)),
    "crm_maintenance": Fault(_shut_crm, _open_crm, (4, 8), is_wide=True),
    "conflicting_edits": Fault(_edit_both, _agree, (60, 150)),
    "duplicate": Fault(_enter_twice, _strike_again, (60, 150)),
    "switched_off": Fault(_switch_off, _switch_on, (90, 240)),
    "locked_row": Fault(_hold_row, _close_form, (30, 45)),
    "mass_delete": Fault(_empty_crm, _restore, (50, 100)),
    "saved_meanwhile": Fault(_save_meanwhile, _close_form_and_agree, (40, 50)),
    "removed_meanwhile": Fault(_remove_meanwhile, _close_form, (40, 50)),
    "server_stopped": Fault(_stop_server, _start_server, (6, 12), is_wide=True),
    "organization_switched_off": Fault(_switch_all_off, _switch_all_on, (20, 34), is_wide=True),
}
"""By name; `plan` says when each of them comes."""


async def make_an_edit(hands: Hands, person: Person, rng: Random, now: datetime) -> str:
    """Do something ordinary on either side; returns what. Calendars neither fill up nor run empty."""
    in_crm = rng.random() < 0.4
    entries = await hands.entries(person)
    choice = rng.random()
    if len(entries) < 8 or (choice < 0.25 and len(entries) < 16):
        return await _make_new(hands, person, rng, now, in_crm)
    if choice > 0.85 or len(entries) > 16:
        return await _delete_one(hands, person, rng, in_crm, entries)
    return await _move_one(hands, person, rng, in_crm, entries)


async def _make_new(hands: Hands, person: Person, rng: Random, now: datetime, in_crm: bool) -> str:
    made = stories.appointment(person, rng.choice(FAR_SLOTS), now, rng)
    # The same seed says the same again, beside what an earlier life has left: the moment tells the two apart.
    made = dataclasses.replace(made, uid=f"{made.uid}-{now:%Y%m%d%H%M%S}")
    if in_crm:
        await hands.add_event(person, made)
        return "new in the CRM"
    await hands.write_down(person, dataclasses.replace(made, private=rng.random() < 0.1), now)
    return "new in the calendar"


async def _delete_one(hands: Hands, person: Person, rng: Random, in_crm: bool, entries: list[Entry]) -> str:
    rows = await hands.events(person)
    if in_crm and rows:
        await hands.recycle_event(rng.choice(rows)["event_id"])
        return "deleted from the CRM"
    await hands.strike(person, rng.choice(entries))
    return "deleted from the calendar"


async def _move_one(hands: Hands, person: Person, rng: Random, in_crm: bool, entries: list[Entry]) -> str:
    rows = await hands.events(person)
    if in_crm and rows:
        row = rng.choice(rows)
        await hands.relocate_event(row["event_id"], stories.another_place(row["location"], rng))
        return "changed in the CRM"
    entry = rng.choice(entries)
    await hands.edit(person, entry, location=stories.another_place(entry.appointment.location, rng))
    return "changed in the calendar"


def person_of(user_id: str) -> Person:
    """Return the person of an id that the journal holds."""
    return next(each for some in ORGANIZATIONS for each in some.people if str(each.user_id) == user_id)
