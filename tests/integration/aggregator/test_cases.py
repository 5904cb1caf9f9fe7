"""Cases from the field, as far as one transaction after another shows them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import zstandard

from schemas.events import Event, Failure, LogData, LogLine, Refused, SessionEvent, decode, digest, encode
from schemas.kinds import DirectoryData, HeartbeatData, TickData
from services.aggregator.batch import Work
from services.aggregator.transaction import Transaction
from tests.integration.aggregator.conftest import Stored
from tests.rig.stream import EVENTS, HEARTBEATS, LOGS, NOW, counts, issue, session, through_the_wire

ORGANIZATION, OTHER = uuid4(), uuid4()
ANN, BOB = uuid4(), uuid4()


def of_ann(session_id: UUID, **more: Any) -> Event:
    return session(session_id, **{"user_id": ANN, "organization_id": ORGANIZATION, **more})


def issue_of_ann(session_id: UUID, **more: Any) -> Event:
    return issue(session_id, **{"user_id": ANN, "organization_id": ORGANIZATION, **more})


async def hours(stored: Stored) -> dict[str, int]:
    rows = await stored.rows("SELECT status, sum(sessions)::int AS n FROM session_hour_all GROUP BY status")
    return {row["status"]: row["n"] for row in rows if row["n"]}


async def rejects(stored: Stored) -> list[str]:
    rows = await stored.rows('SELECT reason FROM rejected_event ORDER BY topic, partition, "offset"')
    return [row["reason"] for row in rows]


async def test_c10_throttled_half_way(stored: Stored) -> None:
    session_id = uuid4()
    throttled = Failure(
        source="office365", category="throttling", code="ApplicationThrottled", retryable=True, scope="mailbox",
        message="Application is over its MailboxConcurrency limit.",
    )  # fmt: skip
    stored.log.append(of_ann(session_id, objects=counts(created=600)))
    stored.log.append(of_ann(session_id, seq=1, status="errors", error=throttled, objects=counts(created=1200)))
    (saved,) = await stored.apply()
    row = await stored.row("SELECT * FROM sync_session")
    assert (row["status"], row["changes"], row["error_category"], row["error_retryable"]) == (
        "errors", 1200, "throttling", True,
    )  # fmt: skip
    assert (await stored.row("SELECT status FROM user_status"))["status"] == "failing"
    assert await hours(stored) == {"errors": 1}
    assert saved.ended == {("errors", "office365", "throttling", None): 1}

    later = NOW + timedelta(minutes=10)
    stored.log.append(of_ann(session_id, attempt=2), at=later)
    await stored.apply()
    row = await stored.row("SELECT * FROM sync_session")
    assert (row["status"], row["changes"], row["error_source"]) == ("running", 1200, None)
    stored.log.append(of_ann(session_id, attempt=2, seq=1, status="finished", objects=counts(created=5000)))
    await stored.apply()
    row = await stored.row("SELECT * FROM sync_session")
    assert (row["status"], row["changes"], row["attempt"]) == ("finished", 5000, 2)
    assert await hours(stored) == {"finished": 1}
    assert await stored.rows("SELECT * FROM session_text") == []


async def test_c11_the_same_item_fails_at_every_run(stored: Stored) -> None:
    for run in range(12):
        session_id, at = uuid4(), NOW - timedelta(hours=24 - run)
        started = {"started_at": at}
        stored.log.append(of_ann(session_id, **started), at=at)
        text = f"unable to obtain exclusive access to this record or {run} records"
        locked = Failure(source="salesforce", category="locked", message=text)
        stored.log.append(issue_of_ann(session_id, error_text=text, error=locked, **started))
        stored.log.append(of_ann(session_id, seq=1, status="finished", issues_sent=1, **started))
        await stored.apply()
    (row,) = await stored.rows("SELECT * FROM sync_issue")
    assert (row["state"], row["times"], row["error_category"]) == ("open", 12, "locked")
    assert await hours(stored) == {"finished_with_issues": 12}

    for state, count in (("resolved", 12), ("opened", 13)):
        over = {"resolution": "synced", "error_code": 0, "error_text": ""} if state == "resolved" else {}
        if state == "opened":
            session_id, at = uuid4(), stored.log.at
        stored.log.append(issue_of_ann(session_id, seq=1, state=state, started_at=at, **over))
        await stored.apply()
        after = await stored.row("SELECT * FROM sync_issue")
        assert (after["issue_id"], after["times"]) == (row["issue_id"], count)
        assert after["state"] == ("resolved" if state == "resolved" else "regressed")
        assert (after["closed_at"] is not None) is (state == "resolved")
        said = (text, "locked") if state == "resolved" else ("locked", None)
        assert (after["error_code"], after["error_text"], after["error_category"]) == (1, *said)


@pytest.mark.parametrize("batches", [1, 2])
async def test_a_session_that_opens_and_resolves_tells_what_it_was(stored: Stored, batches: int) -> None:
    session_id = uuid4()
    locked = Failure(source="salesforce", category="locked", retryable=True)
    stored.log.append(issue_of_ann(session_id, object_name="Ann", object_id="1", error=locked))
    if batches == 2:
        await stored.apply()
    over = {"state": "resolved", "error_code": 0, "error_text": "", "resolution": "synced"}
    stored.log.append(issue_of_ann(session_id, seq=1, object_name="Anne", object_id="1", **over))
    stored.log.append(of_ann(session_id, status="finished", issues_sent=1))
    saved = await stored.apply()
    for table in ("issue_sighting", "sync_issue"):
        row = await stored.row(f"SELECT * FROM {table}")
        assert (row["state"], row["resolution"], row["object_name"], row["seq"]) == ("resolved", "synced", "Anne", 1)
        assert (row["error_code"], row["error_text"], row["error_retryable"]) == (1, "locked", True)
        assert (row["error_source"], row["error_category"]) == ("salesforce", "locked")
        assert (row["opened_attempt"], row["opened_seq"]) == (1, 0)
    assert row["times"] == 1
    counted = await stored.row("SELECT status, issues, issues_arrived FROM sync_session")
    assert counted == {"status": "finished", "issues": 0, "issues_arrived": 1}
    assert saved[0].clashes == 0


async def test_what_opened_late_is_told_of_what_was_stored_before(stored: Stored) -> None:
    """Rows of the version before do not say what they opened with; what comes again does."""
    session_id = uuid4()
    opened = issue_of_ann(session_id)
    stored.log.append(opened)
    over = {"state": "resolved", "error_code": 0, "error_text": ""}
    stored.log.append(issue_of_ann(session_id, seq=1, **over))
    await stored.apply()
    for table in ("issue_sighting", "sync_issue"):
        nothing = ", ".join(f"opened_{name} = NULL" for name in ("attempt", "seq", "digest"))
        await stored.owner.execute(f"UPDATE {table} SET error_code = 0, error_text = '', {nothing}")
    await stored.owner.execute("UPDATE sync_issue SET times = 0, opened_began = NULL, opened_session_id = NULL")
    stored.log.append(opened)
    await stored.apply()
    issue_row = await stored.row("SELECT * FROM sync_issue")
    assert (issue_row["state"], issue_row["times"], issue_row["error_text"]) == ("resolved", 1, "locked")
    assert (await stored.row("SELECT error_text FROM issue_sighting"))["error_text"] == "locked"


async def test_a_tie_of_opened_and_resolved_is_one_clash(stored: Stored) -> None:
    session_id = uuid4()
    stored.log.append(issue_of_ann(session_id))
    stored.log.append(issue_of_ann(session_id, state="resolved", error_code=0))
    (saved,) = await stored.apply()
    row = await stored.row("SELECT * FROM sync_issue")
    assert (saved.clashes, row["times"], row["error_code"]) == (1, 1, 1)


async def test_what_turned_out_well_in_its_session_is_resolved_there_and_no_issue_of_it(stored: Stored) -> None:
    session_id = uuid4()
    stored.log.append(issue_of_ann(session_id))
    stored.log.append(issue_of_ann(session_id, seq=1, error_code=0, error_text=""))
    stored.log.append(of_ann(session_id, status="finished", issues_sent=1))
    await stored.apply()
    sighting = await stored.row("SELECT state, error_code, seq FROM issue_sighting")
    assert sighting == {"state": "resolved", "error_code": 1, "seq": 1}
    assert (await stored.row("SELECT issues FROM sync_session")) == {"issues": 0}
    assert (await stored.row("SELECT state, seq, times FROM sync_issue")) == {"state": "open", "seq": 0, "times": 1}


async def test_c11_a_sighting_with_code_0_opens_nothing(stored: Stored) -> None:
    stored.log.append(issue_of_ann(uuid4(), error_code=0))
    await stored.apply()
    assert await stored.rows("SELECT * FROM sync_issue") == []
    assert len(await stored.rows("SELECT * FROM issue_sighting")) == 1


async def test_c12_the_end_overtakes_the_start(stored: Stored) -> None:
    session_id = uuid4()
    end = of_ann(session_id, seq=9, status="finished", objects=counts(created=3))
    stored.log.append(end)
    await stored.apply()
    before = await stored.rows("SELECT * FROM sync_session"), await stored.rows("SELECT * FROM status_change")
    for events in (
        [of_ann(session_id, seq=0), of_ann(session_id, seq=4)],
        [end],
        [next_with(session_id, created=4, digest_below=digest(end))],
    ):
        for event in events:
            stored.log.append(event)
        (saved,) = await stored.apply()
        assert before == (
            await stored.rows("SELECT * FROM sync_session"), await stored.rows("SELECT * FROM status_change"),
        )  # fmt: skip
    assert saved.clashes == 1
    assert await hours(stored) == {"finished": 1}


def next_with(session_id: UUID, *, created: int, digest_below: int) -> Event:
    """Return an end with other counts whose digest loses; digests differ by the event's id."""
    while True:
        event = of_ann(session_id, seq=9, status="finished", objects=counts(created=created))
        if digest(event) < digest_below:
            return event


async def test_c13_one_session_two_starts(stored: Stored) -> None:
    day = NOW.replace(hour=0, minute=0, second=0)
    late, zone = day - timedelta(seconds=1), "+01:00"
    times = [
        ("2026-11-12T03:10:00.123456789Z", "2026-11-12T03:10:00.123456Z", f"2026-11-12T04:10:00.123456{zone}"),
        ("2026-11-12T23:59:59.9999999Z", "2026-11-12T23:59:59.999999Z", "2026-11-12T23:59:59.999999Z"),
    ]
    ids = [uuid4(), uuid4()]
    moved = (late - datetime.fromisoformat("2026-11-13T23:59:59+00:00")).days  # the day partitions are of now
    for session_id, spellings in zip(ids, times, strict=True):
        for seq, spelling in enumerate(spellings):
            raw = encode(of_ann(session_id, seq=seq, status="finished" if seq == 2 else "running"))
            day_now = (datetime.fromisoformat(spelling[:10]) + timedelta(days=moved)).date().isoformat()
            started = msgspec.json.decode(raw)["data"]["started_at"]
            stored.log.append(raw.replace(started.encode(), (day_now + spelling[10:]).encode()))
    await stored.apply()
    rows = await stored.rows("SELECT session_id, seq, started_at FROM sync_session")
    assert sorted((row["session_id"], row["seq"]) for row in rows) == sorted((each, 2) for each in ids)
    assert {row["started_at"].microsecond for row in rows} == {123456, 999999}

    third, started_at = uuid4(), NOW - timedelta(minutes=5)
    stored.log.append(of_ann(third, started_at=started_at))
    await stored.apply()
    stored.log.append(of_ann(third, seq=1, status="finished", started_at=started_at + timedelta(seconds=4)))
    stored.log.append(of_ann(uuid4(), status="finished"))
    await stored.apply()
    assert await rejects(stored) == ["started_at_changed"]
    (row,) = await stored.rows("SELECT status FROM sync_session WHERE session_id = $1", third)
    assert row["status"] == "running"
    assert sum((await hours(stored)).values()) == 4  # its neighbour in the batch was applied


async def test_c15_green_though_nothing_went_through(stored: Stored) -> None:
    users = {name: uuid4() for name in "abcdex"}
    ends: dict[str, dict[str, Any]] = {
        "a": {"objects": counts(created=1, failed=4)},
        "b": {"issues_sent": 3},
        "c": {},
        "d": {"error": Failure(source="crm", category="not_found", message="410 Gone")},
        "e": {"objects": counts(conflicts=2)},
    }
    ids = {name: uuid4() for name in users}
    for name, more in ends.items():
        stored.log.append(of_ann(ids[name], user_id=users[name], status="finished", **more))
    refused = Failure(source="salesforce", category="validation", message="refused")
    stored.log.append(
        of_ann(ids["x"], user_id=users["x"], status="errors", error=refused, objects=counts(created=900, failed=1))
    )
    stored.log.append(issue_of_ann(ids["b"], user_id=users["b"], object_id="1", error_code=0))
    await stored.apply()
    rows = {row["session_id"]: row for row in await stored.rows("SELECT * FROM sync_session")}
    status = {name: rows[ids[name]]["status"] for name in users}
    assert status == {
        "a": "finished_with_issues", "b": "finished", "c": "finished", "d": "finished_with_issues",
        "e": "finished_with_issues", "x": "errors",
    }  # fmt: skip
    assert {row["status_sent"] for row in rows.values()} == {"finished", "errors"}
    assert (rows[ids["b"]]["issues_arrived"], rows[ids["b"]]["issues_sent"]) == (1, 3)
    assert rows[ids["x"]]["changes"] == 900
    for number in (2, 3):
        stored.log.append(issue_of_ann(ids["b"], user_id=users["b"], object_id=str(number), error_code=0))
    await stored.apply()
    assert (await stored.row("SELECT issues_arrived FROM sync_session WHERE session_id = $1", ids["b"])) == {
        "issues_arrived": 3
    }


async def test_issues_that_come_after_the_end_change_status_and_counters(stored: Stored) -> None:
    session_id = uuid4()
    stored.log.append(of_ann(session_id, status="finished", issues_sent=1))
    await stored.apply()
    stored.log.append(issue_of_ann(session_id))
    (saved,) = await stored.apply()
    row = await stored.row("SELECT * FROM sync_session")
    assert (row["status"], row["issues"], row["issues_arrived"]) == ("finished_with_issues", 1, 1)
    assert await hours(stored) == {"finished_with_issues": 1}
    assert (await stored.row("SELECT status FROM user_status"))["status"] == "partial"
    assert saved.opened == {"contact": 1}


@pytest.mark.parametrize("issues_sent", [0, 1])
async def test_issues_that_come_before_their_session_are_counted(stored: Stored, issues_sent: int) -> None:
    session_id = uuid4()
    stored.log.append(issue_of_ann(session_id))
    await stored.apply()
    stored.log.append(of_ann(session_id, status="finished", issues_sent=issues_sent))
    await stored.apply()
    row = await stored.row("SELECT * FROM sync_session")
    assert (row["status"], row["issues"], row["issues_arrived"]) == ("finished_with_issues", 1, 1)
    assert await hours(stored) == {"finished_with_issues": 1}
    assert (await stored.row("SELECT status FROM user_status"))["status"] == "partial"


async def test_issues_that_come_before_their_attempt_are_counted_once_it_is_told_of(stored: Stored) -> None:
    session_id = uuid4()
    stored.log.append(of_ann(session_id, status="errors", error=Failure()))
    stored.log.append(issue_of_ann(session_id, object_id="1"))
    await stored.apply()
    stored.log.append(issue_of_ann(session_id, attempt=2, object_id="2"))
    stored.log.append(issue_of_ann(session_id, attempt=2, object_id="3", error_code=0))
    await stored.apply()
    assert (await stored.row("SELECT issues FROM sync_session"))["issues"] == 1
    stored.log.append(of_ann(session_id, attempt=2, status="finished"))
    await stored.apply()
    row = await stored.row("SELECT * FROM sync_session")
    assert (row["status"], row["issues"], row["issues_arrived"]) == ("finished_with_issues", 1, 2)
    assert await hours(stored) == {"finished_with_issues": 1}


async def test_issues_are_counted_of_the_attempt_that_stands(stored: Stored) -> None:
    session_id = uuid4()
    for event in (
        of_ann(session_id),
        issue_of_ann(session_id, object_id="1"),
        issue_of_ann(session_id, object_id="2"),
        of_ann(session_id, seq=1, status="errors", error=Failure()),
    ):
        stored.log.append(event)
    await stored.apply()
    assert (await stored.row("SELECT issues FROM sync_session"))["issues"] == 2
    stored.log.append(of_ann(session_id, attempt=2))
    stored.log.append(issue_of_ann(session_id, attempt=2, object_id="2"))
    stored.log.append(of_ann(session_id, attempt=2, seq=1, status="finished", issues_sent=1))
    await stored.apply()
    row = await stored.row("SELECT * FROM sync_session")
    assert (row["status"], row["issues"], row["issues_arrived"]) == ("finished_with_issues", 1, 1)


async def test_c18_two_machines_one_session_id(stored: Stored) -> None:
    session_id = uuid4()
    for user_id, organization_id in ((ANN, ORGANIZATION), (BOB, ORGANIZATION), (BOB, OTHER)):
        who = {"user_id": user_id, "organization_id": organization_id}
        stored.log.append(of_ann(session_id, status="finished", **who))
        await stored.apply()
        stored.log.append(issue_of_ann(session_id, **who))
        line = LogLine(at=NOW, level="info", message="hello")  # type: ignore[arg-type]
        started = NOW - timedelta(minutes=10)
        log = LogData(**who, session_id=session_id, started_at=started, chunk_no=0, first_line=1, lines=(line,))  # type: ignore[arg-type]
        stored.log.append(through_the_wire(log), topic=LOGS)
        await stored.apply()
    (row,) = await stored.rows("SELECT * FROM sync_session")
    assert (row["user_id"], row["organization_id"]) == (ANN, ORGANIZATION)
    assert await rejects(stored) == ["session_of_another_user"] * 6
    assert {row["user_id"] for row in await stored.rows("SELECT user_id FROM issue_sighting")} == {ANN}
    assert {row["user_id"] for row in await stored.rows("SELECT user_id FROM log_chunk")} == {ANN}
    assert sum((await hours(stored)).values()) == 1

    other_start = NOW - timedelta(minutes=7)
    stored.log.append(of_ann(session_id, user_id=BOB, status="finished", started_at=other_start))
    stored.log.append(issue_of_ann(session_id, user_id=BOB, started_at=other_start))
    await stored.apply()
    assert len(await stored.rows("SELECT * FROM sync_session")) == 2
    assert len(await rejects(stored)) == 6


async def test_c18_issues_of_another_user_that_come_before_a_session_are_not_counted_as_its_own(stored: Stored) -> None:
    session_id = uuid4()
    stored.log.append(issue_of_ann(session_id, user_id=BOB, organization_id=OTHER))
    await stored.apply()
    stored.log.append(issue_of_ann(session_id, error_code=0))
    await stored.apply()
    stored.log.append(of_ann(session_id, status="finished", issues_sent=1))
    await stored.apply()
    row = await stored.row("SELECT * FROM sync_session")
    assert (row["status"], row["issues"], row["issues_arrived"]) == ("finished", 0, 1)


async def test_c33_secrets_are_taken_out_where_events_are_applied(stored: Stored) -> None:
    session_id = uuid4()
    secret = (
        "refresh_token=1//0gAAA&client_secret=GOCSPX-BBB Authorization: Bearer eyJCCC https://u:DDD@dav.example.org/"
    )
    error = Failure(source="gmail", category="authentication", message=secret, exception=secret)
    stored.log.append(of_ann(session_id, status="errors", error=error, status_detail=secret))
    stored.log.append(issue_of_ann(session_id, error_text=secret, object_name=secret))
    line = LogLine(at=NOW, level="error", message=secret, exception=secret)  # type: ignore[arg-type]
    log = LogData(
        organization_id=ORGANIZATION, user_id=ANN, session_id=session_id, started_at=NOW - timedelta(minutes=10),
        chunk_no=0, first_line=1, lines=(line,),
    )  # fmt: skip
    stored.log.append(through_the_wire(log), topic=LOGS)
    await stored.apply()
    chunk = await stored.row("SELECT * FROM log_chunk")
    lines = zstandard.ZstdDecompressor().decompress(chunk["body"]).decode()
    texts = [lines]
    for query in ("SELECT * FROM sync_session", "SELECT * FROM session_text", "SELECT * FROM issue_sighting"):
        texts.append(str(await stored.rows(query)))
    texts.append(str(await stored.rows("SELECT * FROM sync_issue")))
    for word in ("0gAAA", "GOCSPX-BBB", "eyJCCC", "DDD"):
        assert not any(word in text for text in texts), word
    assert chunk["redactions"] >= 8
    assert msgspec.json.decode(lines)[0]["level"] == "error"


async def test_a_log_line_keeps_the_names_that_it_holds_as_its_texts_have_them(stored: Stored) -> None:
    name = "password: hunter2 for Ann"
    line = LogLine(at=NOW, level="info", message=f"create '{name}'", names=("Review", name))  # type: ignore[arg-type]
    log = LogData(
        organization_id=ORGANIZATION, user_id=ANN, session_id=uuid4(), started_at=NOW - timedelta(minutes=10),
        chunk_no=0, first_line=1, lines=(line,),
    )  # fmt: skip
    stored.log.append(through_the_wire(log), topic=LOGS)
    await stored.apply()
    body = (await stored.row("SELECT body FROM log_chunk"))["body"]
    (kept,) = msgspec.json.decode(zstandard.ZstdDecompressor().decompress(body))
    assert kept["names"] == ["Review", "password: [redacted] for Ann"]
    assert kept["names"][1] in kept["message"]


async def test_what_lies_outside_its_days_is_rejected_and_the_neighbours_stand(stored: Stored) -> None:
    stored.log.append(of_ann(uuid4(), started_at=NOW - timedelta(days=31)))
    stored.log.append(of_ann(uuid4(), started_at=NOW + timedelta(days=1, minutes=5)))
    stored.log.append(of_ann(uuid4(), status="finished"))
    await stored.apply()
    assert await rejects(stored) == ["too_old", "in_future"]
    row = await stored.row("SELECT * FROM rejected_event WHERE reason = $1", "too_old")
    assert (row["organization_id"], row["payload"]) == (ORGANIZATION, stored.log.records[EVENTS, 0][0].value)
    assert await hours(stored) == {"finished": 1}


async def test_p6_what_the_database_refuses_is_found_by_halving(stored: Stored) -> None:
    def lenient(value: bytes | None) -> Event:
        event = decode(value)
        if isinstance(event, SessionEvent) and event.data.status_detail == "bad":
            return through_a_hole(event)
        return event

    for number in range(50):
        stored.log.append(of_ann(uuid4(), status="finished", status_detail="bad" if number in (7, 31) else "good"))
    saved = await stored.apply(decode=lenient)
    assert len(saved) > 2
    assert await rejects(stored) == ["refused_by_database"] * 2
    assert [row["offset"] for row in await stored.rows('SELECT "offset" FROM rejected_event ORDER BY 1')] == [7, 31]
    assert await hours(stored) == {"finished": 48}
    position = await stored.row("SELECT next_offset FROM kafka_position WHERE topic = $1 AND partition = 0", EVENTS)
    assert position["next_offset"] == 50


def through_a_hole(event: SessionEvent) -> Event:
    """Return the event with a NUL that the decoder should not have let through."""
    data = msgspec.structs.replace(event.data, status_detail="a\0b")
    return msgspec.structs.replace(event, data=data)


async def test_p7_a_broken_decoder_halts_the_partition_and_drains_nothing(stored: Stored) -> None:
    def broken(value: bytes | None) -> Event:
        raise Refused("wrong_type", "", "a bad deploy")

    for _ in range(1000):
        stored.log.append(of_ann(uuid4(), organization_id=uuid4()))
    await stored.apply(decode=broken)
    position = await stored.row("SELECT * FROM kafka_position WHERE topic = $1 AND partition = 0", EVENTS)
    assert position["halted"] == "too_many_rejects"
    assert position["next_offset"] == len(await rejects(stored)) < 120


async def test_p7_a_missing_day_halts_the_partition_and_drains_nothing(stored: Stored) -> None:
    started_at = NOW - timedelta(days=20)
    await stored.owner.execute("SELECT drop_day('sync_session', $1)", started_at.date())
    for _ in range(200):
        stored.log.append(of_ann(uuid4(), organization_id=uuid4(), started_at=started_at))
    await stored.apply()
    position = await stored.row("SELECT * FROM kafka_position WHERE topic = $1 AND partition = 0", EVENTS)
    assert position["halted"] == "too_many_rejects"
    assert position["next_offset"] == len(await rejects(stored)) < 120
    assert await stored.rows("SELECT DISTINCT detail FROM rejected_event") == [{"detail": "SQLSTATE 23514"}]


async def test_heartbeats_keep_the_newest_and_have_no_position(stored: Stored) -> None:
    for running in (1, 2):
        data = HeartbeatData(agent_id="agent", sent_at=NOW, organization_id=ORGANIZATION, sessions_running=running)
        stored.log.append(through_the_wire(data), topic=HEARTBEATS)
    foreign = HeartbeatData(agent_id="agent", sent_at=NOW, organization_id=OTHER, sessions_running=9)
    await stored.apply()
    stored.log.append(through_the_wire(foreign), topic=HEARTBEATS)
    await stored.apply()
    row = await stored.row("SELECT * FROM agent")
    assert (row["organization_id"], row["sessions_running"]) == (ORGANIZATION, 2)
    assert row["clock_error_s"] == pytest.approx(0.002, abs=0.01)


async def test_a_shared_agent_is_never_taken_over_by_an_organizations(stored: Stored) -> None:
    for organization_id, running in ((None, 1), (ORGANIZATION, 9), (None, 2)):
        data = HeartbeatData(agent_id="agent", sent_at=NOW, organization_id=organization_id, sessions_running=running)
        stored.log.append(through_the_wire(data), topic=HEARTBEATS)
        await stored.apply()
    row = await stored.row("SELECT * FROM agent")
    assert (row["organization_id"], row["sessions_running"]) == (None, 2)


async def test_ticks_move_time_and_count_in_no_total(stored: Stored) -> None:
    at = NOW + timedelta(seconds=30)
    for topic in (EVENTS, LOGS):
        stored.log.append(through_the_wire(TickData(gateway="g", sent_at=NOW), "g"), topic=topic, at=at)
    await stored.apply()
    for row in await stored.rows("SELECT * FROM kafka_position WHERE next_offset > 0"):
        assert row["applied_to"] == at
    assert await stored.rows("SELECT * FROM sync_session") == []
    assert len(await stored.rows("SELECT * FROM kafka_position WHERE next_offset > 0")) == 2


async def test_directory_the_greater_revision_wins(stored: Stored) -> None:
    def user(revision: int, **more: Any) -> Event:
        members = {"email": "ann@example.org", "display_name": "Änn", **more}
        return through_the_wire(
            DirectoryData(organization_id=ORGANIZATION, user_id=ANN, kind="user", revision=revision, **members)  # type: ignore[arg-type]
        )

    def organization(revision: int, **more: Any) -> Event:
        return through_the_wire(
            DirectoryData(organization_id=ORGANIZATION, kind="organization", revision=revision, name="A", **more)  # type: ignore[arg-type]
        )

    stored.log.append(of_ann(uuid4(), status="finished"))
    await stored.apply()
    assert (await stored.row("SELECT revision FROM sync_user"))["revision"] == -1
    stored.log.append(user(5))
    stored.log.append(user(4, display_name="old"))
    stored.log.append(organization(1))
    await stored.apply()
    row = await stored.row("SELECT * FROM sync_user")
    assert (row["display_name"], row["name_key"], row["revision"], row["enabled_since"]) == (
        "Änn", "ann", 5, row["announced_at"],
    )  # fmt: skip
    stored.log.append(user(6, sync_enabled=False, disabled_reason="authorization"))
    await stored.apply()
    row = await stored.row("SELECT status, reason FROM user_status")
    assert row["status"] == "disabled"
    stored.log.append(user(7))
    stored.log.append(organization(2, sync_enabled=False))
    await stored.apply()
    assert (await stored.row("SELECT sync_enabled, disabled_reason FROM organization")) == {
        "sync_enabled": False, "disabled_reason": "manual",
    }  # fmt: skip
    queued = await stored.rows("SELECT DISTINCT organization_id FROM recompute_queue")
    assert queued == [{"organization_id": ORGANIZATION}]


async def test_a_directory_takes_as_many_statements_as_one_of_its_users(stored: Stored) -> None:
    taken: list[int] = []
    for size in (1, 1, 20):
        for organization_id in (uuid4() for _ in range(size)):
            of = {"organization_id": organization_id, "revision": 1}
            stored.log.append(through_the_wire(DirectoryData(kind="organization", name="A", **of)))  # type: ignore[arg-type]
            stored.log.append(through_the_wire(DirectoryData(kind="user", user_id=uuid4(), **of)))  # type: ignore[arg-type]
        asked: list[str] = []
        async with stored.pool.acquire() as connection, connection.transaction():
            with connection.query_logger(lambda record, asked=asked: asked.append(record.query)):
                await Transaction(connection, stored.log.work(stored.since), EVENTS, zstandard.ZstdCompressor()).run()
            await asyncio.sleep(0)
        stored.since = stored.log.ends
        taken.append(len(asked))
    assert taken[1] == taken[2]  # the first also asks for types
    assert len(await stored.rows("SELECT FROM organization WHERE revision = 1")) == 22
    assert len(await stored.rows("SELECT FROM sync_user JOIN user_status USING (organization_id, user_id)")) == 22


async def test_a_lost_answer_to_a_commit_is_recognized(stored: Stored) -> None:
    stored.log.append(of_ann(uuid4(), status="finished"))
    work: Work = stored.log.work()
    first = await stored.apply_work(work)
    stored.store._unsure = work, first[0]  # as after a commit whose answer never came
    assert await stored.apply_work(work) == first
    assert await hours(stored) == {"finished": 1}
