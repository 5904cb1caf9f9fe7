"""Every fault of the life script, on real systems: what a pass makes of it, and that it is mended for good."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import asyncpg
import pytest

from schemas.events import Direction
from services.ingest.connectors.caldav_crm.directory import read_directory
from services.ingest.connectors.caldav_crm.failures import PassFailed
from services.ingest.connectors.caldav_crm.faults import FAULTS, make_an_edit
from services.ingest.connectors.caldav_crm.life import Journal, Life
from tests.integration.connector.conftest import Connector

NOW = datetime(2026, 11, 25, tzinfo=UTC)

ISSUES = {
    "oversized_subject": (1, "validation"),
    "conflicting_edits": (3, "conflict"),
    "duplicate": (1, "duplicate"),
    "locked_row": (1, "locked"),
    "saved_meanwhile": (3, "conflict"),
    "removed_meanwhile": (2, "not_found"),
}
ERRORS = {
    "wrong_password": ("calendar", "authentication"),
    "server_stopped": ("calendar", "connectivity"),
    "mass_delete": ("connector", "conflict"),
    "crm_maintenance": ("crm", "locked"),
}
SWITCHES = {"switched_off", "organization_switched_off"}


def life_of(connector: Connector, path: Path) -> Life:
    return Life(connector.hands, Journal(path), Random(3), lambda: NOW, time.monotonic, opening={})


def test_every_fault_is_tried_here() -> None:
    assert ISSUES.keys() | ERRORS.keys() | SWITCHES == FAULTS.keys()


# One person for all of them: what is mended must leave nothing behind.
async def test_each_fault_shows_as_what_it_is_and_is_gone_when_mended(connector: Connector, tmp_path: Path) -> None:
    life = life_of(connector, tmp_path / "journal.json")
    await connector.run()
    for name, expected in ISSUES.items():
        begun = await life.begin(name, connector.person)
        assert begun is not None, name
        _, told = await connector.run()
        assert [(each["error_code"], each["error"].category) for each in told.issues] == [expected], name
        await life.mend(begun)
        _, told = await connector.run()
        assert told.issues == [], name
        assert len(told.over) == 1, name
    for name, expected_error in ERRORS.items():
        begun = await life.begin(name, connector.person)
        assert begun is not None, name
        with pytest.raises(PassFailed) as caught:
            await connector.run()
        assert (caught.value.failure.source, caught.value.failure.category) == expected_error, name
        await life.mend(begun)
        _, told = await connector.run()
        assert told.issues == [], name
        assert set(told.of(Direction.MAIL_TO_CRM)) <= {"fetched", "updated"}, name


async def test_switches_change_the_directory_and_its_revision(connector: Connector, tmp_path: Path) -> None:
    life = life_of(connector, tmp_path / "journal.json")
    person, pool = connector.person, connector.pool
    before = await read_directory(pool, person.organization_id)
    assert person in before.to_synchronize
    revisions = [before.flag.revision]
    for name in sorted(SWITCHES):
        begun = await life.begin(name, person)
        assert begun is not None
        off = await read_directory(pool, person.organization_id)
        assert person not in off.to_synchronize
        await life.mend(begun)
        after = await read_directory(pool, person.organization_id)
        assert after.to_synchronize == before.to_synchronize
        revisions.append(after.flag.revision)
    assert revisions[0] < revisions[1] == revisions[2]
    seats = {seat.person: seat.flag.revision for seat in before.seats}
    assert {seat.person for seat in after.seats if seat.flag.revision > seats[seat.person]} == {person}


async def test_a_killed_script_mends_what_it_left_when_it_starts_again(connector: Connector, tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    await life_of(connector, path).begin("mass_delete", connector.person)
    await life_of(connector, path).begin("oversized_subject", connector.person)
    assert await connector.hands.events(connector.person) == []

    stop = asyncio.Event()
    stop.set()
    await life_of(connector, path).live(1.0, stop)
    assert Journal(path).begun == []
    assert len(await connector.hands.events(connector.person)) == 4
    _, told = await connector.run()
    assert told.issues == []


async def test_a_life_goes_on_whatever_its_people_meet(connector: Connector, tmp_path: Path) -> None:
    connector.hands.stop_calendar_server()
    try:
        await connector.hands.wait_for_calendar_server(connector.person, is_up=False)
        life = life_of(connector, tmp_path / "journal.json")
        for _ in range(5):
            await life.step()
    finally:
        connector.hands.start_calendar_server()
        await connector.hands.wait_for_calendar_server(connector.person, is_up=True)
    for _ in range(10):
        await life.edit(connector.person)
    await life.mend_all()
    assert 6 <= len(await connector.hands.entries(connector.person)) <= 18


async def test_a_second_life_of_the_same_seed_goes_on_beside_the_first(connector: Connector) -> None:
    """Counted runs on one state folder all have the same seed, and what the ones before wrote down still stands."""
    hands, person = connector.hands, connector.person
    said = [await make_an_edit(hands, person, Random(15), NOW + timedelta(minutes=number)) for number in range(2)]
    assert said == ["new in the calendar"] * 2
    assert len({entry.appointment.uid for entry in await hands.entries(person)}) == 10


async def test_a_life_does_not_stand_in_its_own_way(connector: Connector, tmp_path: Path) -> None:
    life = life_of(connector, tmp_path / "journal.json")
    await connector.run()
    assert await life.begin("locked_row", connector.person) is not None
    with pytest.raises(asyncpg.LockNotAvailableError):
        await life.begin("crm_maintenance", connector.person)
    await life.mend_all()
    begun = await life.begin("crm_maintenance", connector.person)
    assert begun is not None
    await life.mend(begun)
