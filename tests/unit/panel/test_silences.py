"""Whose silence it is, in words; the rows of the Monitoring page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from services.query.panel import monitoring, silences
from services.query.panel.fresh import Fresh
from services.query.panel.parts import Clock
from services.query.panel.words import isolated
from services.query.silence import state_of

NOW = datetime(2026, 11, 24, 14, 2, 31, tzinfo=UTC)
FRESH = Fresh(NOW - timedelta(seconds=1), 0.8, "", (), NOW)
CLOCK = Clock(ZoneInfo("UTC"), NOW, NOW)
PAGE: Any = SimpleNamespace(now=NOW, zone=CLOCK.zone, fresh=FRESH)


def silence(**changes: Any) -> dict[str, Any]:
    """Return figures where all is well, but for the changes."""
    return {
        "late": {"users": 0, "agent_silent": 0, "due_at": None, "organization": None}, "incomplete": 0,
        "agents": {"known": 4, "silent": 0, "longest": None},
        "partitions": {"all": 12, "behind": 0, "halted": 0, "applied_to": None},
        "other_partitions": {"all": 12, "behind": 0, "halted": 0, "applied_to": None}, "fresh": {},
    } | changes  # fmt: skip


def told(**changes: Any) -> dict[str, silences.Silence]:
    return {each.title: each for each in silences.told(silence(**changes), CLOCK, FRESH)}


def test_all_quiet_is_said_calmly() -> None:
    said = told()
    assert list(said) == ["Users late", "Agents silent", "Monitoring behind", "Reports incomplete"]
    assert {each.tone for each in said.values()} == {"calm"}
    assert said["Users late"].text == "Nobody's sync is overdue."
    assert (said["Agents silent"].number, said["Agents silent"].of) == ("0", "of 4")


def test_a_late_sync_a_silent_agent_and_a_lost_report_each_have_a_list() -> None:
    late = {"users": 611, "agent_silent": 164, "due_at": NOW - timedelta(hours=5, minutes=12), "organization": "Optics"}
    agents = {"known": 212, "silent": 1, "longest": {"agent_id": "us-02", "heard_at": NOW - timedelta(minutes=94)}}
    said = told(late=late, agents=agents, incomplete=23)
    assert said["Users late"].text.endswith(f"Longest: 5 h 12 min, {isolated('Optics')}.")
    assert said["Users late"].href == "/users?status=late&tz=UTC"
    assert said["Agents silent"].text == f"{isolated('us-02')} is silent since 12:28:31."
    assert said["Agents silent"].href == "/monitoring?agents=silent&tz=UTC"
    ((words, href),) = said["Agents silent"].more
    assert words == "164 of the late users"
    assert "status=late" in href
    assert "agent%20is%20silent" in href
    assert said["Reports incomplete"].number == "23"
    assert "report_complete=false" in said["Reports incomplete"].href


def test_when_most_agents_fall_silent_it_may_be_us() -> None:
    longest = {"agent_id": "us-02", "heard_at": NOW - timedelta(minutes=3)}
    assert "may be ours" in told(agents={"known": 5, "silent": 3, "longest": longest})["Agents silent"].text
    assert "may be ours" not in told(agents={"known": 6, "silent": 3, "longest": longest})["Agents silent"].text


def test_monitoring_that_is_behind_says_whose_users_are_not_judged() -> None:
    rows: list[dict[str, Any]] = [{"applied_to": NOW - timedelta(seconds=2), "halted": None} for _ in range(10)]
    rows.append({"applied_to": NOW - timedelta(minutes=4), "halted": None})
    rows.append({"applied_to": NOW - timedelta(hours=2), "halted": "hash"})
    state = state_of(rows, NOW)
    assert state == {"all": 12, "behind": 1, "halted": 1, "applied_to": NOW - timedelta(minutes=4)}
    text = told(partitions=state)["Monitoring behind"].text
    stopped = "1/12 of users: what is reported is not applied any more."
    assert text == f"1/12 of users not judged since 13:58:31. {stopped}"
    logs = state | {"behind": 2, "halted": 0}
    assert told(other_partitions=logs)["Monitoring behind"].text == "2/12 of users' logs behind or stopped."
    never = state_of([{"applied_to": None, "halted": None}], NOW)
    assert (never["behind"], never["applied_to"]) == (1, None)


def test_a_partition_says_whether_it_is_applied_behind_stopped_or_read_by_nobody() -> None:
    row = {
        "topic": "syncwatch.events", "partition": 7, "applied_to": NOW - timedelta(minutes=4), "halted": None,
        "heard_at": NOW - timedelta(seconds=2),
    }  # fmt: skip
    assert monitoring.part(row, PAGE).state == "behind"
    assert monitoring.part(row | {"applied_to": NOW}, PAGE).state == "applied"
    assert monitoring.part(row | {"halted": "hash"}, PAGE).state == "stopped: hash"
    assert monitoring.part(row | {"applied_to": None}, PAGE).behind == "–"
    assert monitoring.part(row | {"heard_at": NOW - timedelta(seconds=31)}, PAGE).state == "nobody reads it"
    assert monitoring.part(row | {"applied_to": None, "heard_at": None}, PAGE).state == "nobody reads it"


def test_whose_data_stands_still_is_said_where_some_does() -> None:
    none = {"users": 0, "organizations": 0}
    assert [pair.word for pair in monitoring.heading(none, PAGE)] == ["As of", "Behind"]
    assert monitoring.heading({"users": 1204, "organizations": 1}, PAGE)[2].value == "1,204 users of 1 organization"
