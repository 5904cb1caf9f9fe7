"""One user's passes between a real Radicale and a real CRM: true counts, true issues, true failures."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from vdirsyncer.vobject import Item

from schemas.events import Direction, Operation
from services.ingest.connectors.caldav_crm import stories
from services.ingest.connectors.caldav_crm.failures import PassFailed
from services.ingest.connectors.caldav_crm.hands import Entry, is_awaited
from services.ingest.connectors.caldav_crm.sessionlog import listening, logged_to
from tests.integration.connector.conftest import Connector
from tests.integration.connector.recorder import Recorder

NOW = datetime(2026, 11, 25, tzinfo=UTC)
TO_CRM, TO_MAIL = Direction.MAIL_TO_CRM, Direction.CRM_TO_MAIL


async def first_entry(connector: Connector) -> Entry:
    return (await connector.hands.entries(connector.person))[0]


async def test_the_first_pass_creates_what_is_missing_and_the_second_changes_nothing(connector: Connector) -> None:
    _, first = await connector.run()
    assert first.of(TO_CRM) == {"fetched": 8, "created": 8}
    assert first.of(TO_MAIL) == {"fetched": 4, "created": 4}
    assert (first.issues, first.said) == ([], "")
    assert set(first.seconds) == {"mail", "crm", "engine"}
    assert all(seconds >= 0 for seconds in first.seconds.values())

    _, second = await connector.run()
    assert second.of(TO_CRM) == {"fetched": 12}
    assert second.of(TO_MAIL) == {"fetched": 12}


async def test_edits_and_deletions_travel_both_ways(connector: Connector) -> None:
    await connector.run()
    person, hands = connector.person, connector.hands
    edited, struck, *_ = await hands.entries(person)
    await hands.edit(person, edited, location="Roof")
    await hands.strike(person, struck)
    touched = {edited.appointment.uid, struck.appointment.uid}
    moved, recycled, *_ = [row for row in await hands.events(person) if row["uid"] not in touched]
    await hands.relocate_event(moved["event_id"], "Cellar")
    await hands.recycle_event(recycled["event_id"])

    _, told = await connector.run()
    assert told.of(TO_CRM) == {"fetched": 11, "updated": 1, "deleted": 1}
    assert told.of(TO_MAIL) == {"fetched": 11, "updated": 1, "deleted": 1}
    row = await hands.event_of(person, edited.appointment.uid)
    entry = await hands.entry(person, moved["uid"])
    assert row is not None
    assert entry is not None
    assert (row["location"], entry.appointment.location) == ("Roof", "Cellar")
    assert await hands.event_of(person, struck.appointment.uid) is None
    assert await hands.entry(person, recycled["uid"]) is None


async def test_an_edit_in_the_crm_keeps_what_only_the_calendar_knows(connector: Connector) -> None:
    person, hands = connector.person, connector.hands
    entry = await first_entry(connector)
    text = entry.text.replace("END:VEVENT", "X-MEETING-LINK:https://meet.example/7\r\nEND:VEVENT")
    await connector.run()
    fresh = await first_entry(connector)
    await hands.calendar(person).update(fresh.href, Item(text), fresh.etag)
    await connector.run()
    row = await hands.event_of(person, entry.appointment.uid)
    assert row is not None
    await hands.relocate_event(row["event_id"], "Cellar")
    await connector.run()
    after = await first_entry(connector)
    assert after.appointment.location == "Cellar"
    assert "X-MEETING-LINK:https://meet.example/7" in after.text


async def test_an_edit_on_both_sides_is_a_conflict_until_both_say_the_same(connector: Connector) -> None:
    person, hands = connector.person, connector.hands
    await connector.run()
    entry = await first_entry(connector)
    row = await hands.event_of(person, entry.appointment.uid)
    assert row is not None
    await hands.edit(person, entry, location="Roof")
    await hands.relocate_event(row["event_id"], "Cellar")

    for attempt in (1, 2):
        _, told = await connector.run()
        assert told.of(TO_CRM) == {"fetched": 12, "conflicts": 1}
        assert told.said == "1 appointment in conflict"
        (issue,) = told.issues
        assert (issue["error_code"], issue["operation"], issue["attempts"]) == (3, Operation.UPDATE, attempt)
        assert (issue["error"].source, issue["error"].category) == ("connector", "conflict")
        assert issue["object_name"] == entry.appointment.subject

    await hands.edit(person, await first_entry(connector), location="Cellar")
    _, told = await connector.run()
    assert told.issues == []
    assert [each["resolution"] for each in told.over] == ["synced"]


async def test_a_wrong_password_ends_the_pass_and_the_right_one_mends_it(connector: Connector) -> None:
    connector.hands.change_password(connector.person, "changed")
    recorder = Recorder()
    with pytest.raises(PassFailed) as caught:
        await connector.run_into(recorder)
    assert recorder.said == "stopped while reading the calendar"
    failure = caught.value.failure
    assert (failure.source, failure.category, failure.code) == ("calendar", "authentication", "401")
    assert failure.retryable is False
    assert "ClientResponseError" in (failure.exception or "")
    assert "Authorization" not in (failure.exception or "")

    connector.hands.take_password_back(connector.person)
    _, told = await connector.run()
    assert told.of(TO_CRM) == {"fetched": 8, "created": 8}


async def test_a_stopped_calendar_server_ends_the_pass(connector: Connector) -> None:
    hands, person = connector.hands, connector.person
    hands.stop_calendar_server()
    try:
        await hands.wait_for_calendar_server(person, is_up=False)
        with pytest.raises(PassFailed) as caught:
            await connector.run()
    finally:
        hands.start_calendar_server()
        await hands.wait_for_calendar_server(person, is_up=True)
    failure = caught.value.failure
    assert (failure.source, failure.category, failure.retryable) == ("calendar", "connectivity", True)


async def test_an_oversized_subject_is_one_issue_and_over_when_shortened(connector: Connector) -> None:
    person, hands = connector.person, connector.hands
    entry = await first_entry(connector)
    await hands.edit(person, entry, subject="An agenda in full: " + "item, " * 40)

    _, told = await connector.run()
    assert told.of(TO_CRM) == {"fetched": 8, "created": 7, "failed": 1}
    assert told.said == "1 appointment refused by the CRM"
    (issue,) = told.issues
    assert (issue["object_type"], issue["error_code"]) == ("appointment", 1)
    assert (issue["direction"], issue["operation"]) == (TO_CRM, Operation.CREATE)
    assert issue["error_text"] == "value too long for type character varying(100)"
    assert issue["object_name"].startswith("An agenda in full")
    assert issue["object_id"] == entry.appointment.uid
    error = issue["error"]
    assert (error.source, error.category, error.code) == ("crm", "validation", "22001")

    await hands.edit(person, await first_entry(connector), subject="An agenda")
    _, told = await connector.run()
    assert told.issues == []
    assert told.of(TO_CRM) == {"fetched": 12, "created": 1}
    (over,) = told.over
    assert over["resolution"] == "synced"
    assert [over[name] for name in ("object_id", "direction", "operation")] == [
        issue[name] for name in ("object_id", "direction", "operation")
    ]


async def test_an_issue_whose_object_was_deleted_is_over_as_removed(connector: Connector) -> None:
    person, hands = connector.person, connector.hands
    await hands.edit(person, await first_entry(connector), subject="x" * 101)
    await connector.run()
    await hands.strike(person, await first_entry(connector))
    _, told = await connector.run()
    assert [each["resolution"] for each in told.over] == ["removed"]
    _, told = await connector.run()
    assert told.over == []


async def test_the_same_appointment_twice_is_refused_as_a_duplicate(connector: Connector) -> None:
    person, hands = connector.person, connector.hands
    made = stories.appointment(person, 40, NOW, Random(1))
    await hands.write_down(person, made, NOW)
    await connector.run()
    await hands.write_down(person, dataclasses.replace(made, uid=made.uid + "-again"), NOW)
    told = Recorder()
    with listening(), logged_to(told):
        await connector.run_into(told)
    (issue,) = told.issues
    assert (issue["error_code"], issue["error"].category, issue["error"].code) == (1, "duplicate", "23505")
    assert issue["object_name"] == made.subject
    assert made.subject in issue["error_text"], "Postgres quotes the key, so that the name stands in texts too"
    naming = [line for line in told.lines if made.subject in line["message"]]
    assert naming
    for line in told.lines:
        assert line["names"] == ([made.subject] if line in naming else []), line


async def test_a_row_somebody_holds_is_an_issue_and_over_when_let_go(connector: Connector) -> None:
    person, hands = connector.person, connector.hands
    await connector.run()
    entry = await first_entry(connector)
    await hands.edit(person, entry, location="Roof")
    async with hands.open_form(person, entry.appointment.uid):
        _, told = await connector.run()
    (issue,) = told.issues
    assert (issue["error_code"], issue["operation"]) == (1, Operation.UPDATE)
    assert (issue["error"].source, issue["error"].category, issue["error"].retryable) == ("crm", "locked", True)
    assert issue["counterpart_id"] is not None
    _, told = await connector.run()
    assert told.of(TO_CRM)["updated"] == 1
    assert [each["resolution"] for each in told.over] == ["synced"]


@pytest.mark.parametrize(("is_deletion", "code", "category"), [(True, 2, "not_found"), (False, 3, "conflict")])
async def test_a_change_that_somebody_else_is_just_saving_comes_too_late(
    connector: Connector, is_deletion: bool, code: int, category: str
) -> None:
    person, hands = connector.person, connector.hands
    await connector.run()
    entry = await first_entry(connector)
    row = await hands.event_of(person, entry.appointment.uid)
    assert row is not None
    await hands.edit(person, entry, location="Roof")

    recorder = Recorder()
    async with hands.open_form(person, entry.appointment.uid) as form:
        if is_deletion:
            await form.execute("UPDATE crm.event SET deleted_at = now() WHERE event_id = $1", row["event_id"])
        else:
            await form.execute("UPDATE crm.event SET location = 'Cellar' WHERE event_id = $1", row["event_id"])
        running = asyncio.create_task(connector.run_into(recorder))
        assert await is_awaited(form, 10, time.monotonic)
    await running
    (issue,) = recorder.issues
    assert (issue["error_code"], issue["error"].category) == (code, category)


async def test_an_emptied_crm_deletes_nothing_and_ends_the_pass(connector: Connector) -> None:
    person, hands = connector.person, connector.hands
    await connector.run()
    gone = await hands.recycle_all(person)
    recorder = Recorder()
    with pytest.raises(PassFailed) as caught:
        await connector.run_into(recorder)
    assert recorder.said == "stopped while comparing both sides"
    failure = caught.value.failure
    assert (failure.source, failure.category, failure.code) == ("connector", "conflict", "StorageEmpty")
    assert failure.message.startswith("CRM is empty")
    assert len(await hands.entries(person)) == 12

    await hands.restore(gone)
    _, told = await connector.run()
    assert told.of(TO_CRM) == {"fetched": 12}


async def test_a_crm_under_maintenance_ends_the_pass(connector: Connector) -> None:
    async with connector.hands.maintenance():
        with pytest.raises(PassFailed) as caught:
            await connector.run()
    failure = caught.value.failure
    assert (failure.source, failure.category, failure.code) == ("crm", "locked", "55P03")


async def test_a_private_appointment_is_found_and_left_out(connector: Connector) -> None:
    person, hands = connector.person, connector.hands
    made = dataclasses.replace(stories.appointment(person, 41, NOW, Random(2)), private=True)
    await hands.write_down(person, made, NOW)
    for _ in range(2):
        _, told = await connector.run()
        assert told.of(TO_CRM)["skipped"] == 1
        assert told.issues == []
    assert await hands.event_of(person, made.uid) is None


async def test_a_connector_that_lost_its_memory_sees_no_conflicts(connector: Connector, tmp_path: Path) -> None:
    await connector.run()
    for path in (tmp_path / "memory").glob("*.status"):
        path.unlink()
    _, told = await connector.run()
    assert told.issues == []
    assert set(told.of(TO_CRM)) <= {"fetched", "updated"}
