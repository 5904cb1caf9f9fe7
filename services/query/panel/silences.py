"""The Silence block in words: whose silence it is, how much, and the list that proves each number. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from schemas.reasons import REASONS
from services.query.panel import words
from services.query.panel.fresh import Fresh
from services.query.panel.parts import Clock
from services.query.panel.rows import asked


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence: whose it is, how much (`of` how many), in a sentence, the list of it, and parts of it."""

    icon: str
    tone: str
    title: str
    number: str
    text: str
    href: str
    of: str = ""
    more: tuple[tuple[str, str], ...] = ()


def told(silence: Mapping[str, Any], clock: Clock, fresh: Fresh) -> list[Silence]:
    """Tell the silences apart: overdue users, silent agents, our own monitoring; then reports that lack something."""
    return [
        _late(silence["late"], clock),
        _agents(silence, clock),
        _monitoring(silence["partitions"], silence["other_partitions"], clock.zone, fresh),
        _incomplete(silence["incomplete"], clock),
    ]


def _late(late: Mapping[str, Any], clock: Clock) -> Silence:
    said = ["Their sync is overdue by more than one interval."]
    if late["due_at"]:
        overdue = words.duration((clock.now - late["due_at"]).total_seconds())
        said.append(f"Longest: {overdue}, {words.isolated(late['organization'])}.")
    if not late["users"]:
        said = ["Nobody's sync is overdue."]
    return Silence(
        "clock", "" if late["users"] else "calm", "Users late", words.number(late["users"]), " ".join(said),
        asked("/users", status="late", tz=clock.zone.key),
    )  # fmt: skip


def _agents(silence: Mapping[str, Any], clock: Clock) -> Silence:
    agents, late = silence["agents"], silence["late"]["agent_silent"]
    silent, known, longest = agents["silent"], agents["known"], agents["longest"]
    text = "Every agent of the last day sent a heartbeat within 90 s."
    more: tuple[tuple[str, str], ...] = ()
    if not known:
        text = "No agent has sent a heartbeat in the last day."
    elif silent:
        since = words.when(longest["heard_at"], clock.zone, clock.now)
        text = f"{words.isolated(longest['agent_id'])} is silent since {since}."
        if silent * 2 > known and silent > 2:
            text += " More than half of all agents are silent: the trouble may be ours."
        if late:
            said = f"{words.number(late)} of the late users"
            more = ((said, asked("/users", status="late", why=REASONS["agent_silent"], tz=clock.zone.key)),)
    return Silence(
        "plug", "" if silent else "calm", "Agents silent", words.number(silent), text,
        asked("/monitoring", agents="silent", tz=clock.zone.key), f"of {words.number(known)}", more,
    )  # fmt: skip


def _monitoring(partitions: Mapping[str, Any], others: Mapping[str, Any], zone: ZoneInfo, fresh: Fresh) -> Silence:
    behind, halted = partitions["behind"], partitions["halted"]
    at = words.clock(fresh.as_of, zone) if fresh.as_of else "an unknown time"
    said = [f"All events up to {at} are applied. Nobody is called late beyond that time."]
    lost = others["behind"] + others["halted"]
    if behind or halted or lost:
        said = []
    if behind:
        said.append(f"{not_judged(partitions, zone)}.")
    if halted:
        said.append(f"{halted}/{partitions['all']} of users: what is reported is not applied any more.")
    if lost:
        said.append(f"{lost}/{others['all']} of users' logs behind or stopped.")
    number = words.NONE if fresh.lag_s is None else words.rough(fresh.lag_s)
    tone = "loud" if fresh.tone else "calm"
    return Silence("pulse", tone, "Monitoring behind", number, " ".join(said), f"/monitoring?tz={zone.key}")


def not_judged(partitions: Mapping[str, Any], zone: ZoneInfo) -> str:
    """Return what share of the users cannot be late meanwhile: `1/12 of users not judged since 13:58:20`."""
    share = f"{partitions['behind']}/{partitions['all']} of users not judged"
    if partitions["applied_to"] is None:
        return f"{share} yet"
    return f"{share} since {words.clock(partitions['applied_to'], zone)}"


def _incomplete(users: int, clock: Clock) -> Silence:
    text = "Users whose last session sent issues that did not all arrive. They do not count as healthy."
    return Silence(
        "file", "plain-i" if users else "calm", "Reports incomplete", words.number(users), text,
        asked("/users", status="failing,stuck,late,partial", report_complete="false", tz=clock.zone.key),
    )  # fmt: skip
