"""P5: order and repetition of events change nothing, ties included."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Event, IssueEvent, SessionEvent, digest
from services.aggregator.fold import FOREIGN, STARTED_AT_CHANGED, Fold
from tests.rig.stream import NOW, counts, issue, session

ORGANIZATION, USER, SESSION, ISSUE = (UUID(int=number) for number in (1, 2, 3, 4))


@cache
def word(attempt: int, seq: int, status: str, created: int) -> Event:
    """Return one event of the one session; few versions, so that they tie, and its content decides the digest."""
    return session(
        SESSION, user_id=USER, organization_id=ORGANIZATION, attempt=attempt, seq=seq, status=status,
        objects=counts(created=created),
    )  # fmt: skip


@cache
def sighting(attempt: int, seq: int, state: str, code: int, text: str) -> Event:
    return issue(
        SESSION, user_id=USER, organization_id=ORGANIZATION, issue_id=ISSUE, attempt=attempt, seq=seq, state=state,
        error_code=code, error_text=text,
    )  # fmt: skip


words = st.builds(
    word, st.integers(1, 2), st.integers(0, 2), st.sampled_from(["running", "finished", "errors"]), st.integers(0, 2)
)
sightings = st.builds(
    sighting, st.integers(1, 2), st.integers(0, 2), st.sampled_from(["opened", "resolved"]), st.integers(0, 2),
    st.sampled_from("ab"),
)  # fmt: skip


def folded(events: list[Event]) -> Fold:
    fold = Fold()
    for number, event in enumerate(events):
        assert fold.add(event, number, 0) is None
    return fold


def facts(events: list[Event]) -> tuple[SessionEvent, SessionEvent]:
    """Return whose state and whose counts are left; append times are the log's, not the events'."""
    (kept,) = folded(events).sessions.values()
    return kept.event, kept.counts


@settings(max_examples=1000, deadline=None)
@given(st.lists(words, min_size=1, max_size=8), st.data())
def test_p5_order_and_redelivery_change_nothing(events: list[Event], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(events), max_size=8))
    delivered = data.draw(st.permutations(events + repeats))
    assert facts(delivered) == facts(events)


@settings(max_examples=300, deadline=None)
@given(st.lists(words, min_size=2, max_size=8), st.integers(1, 7))
def test_p5_batches_may_be_cut_anywhere(events: list[Event], cut: int) -> None:
    """Folding in two batches and folding what is left of both gives what one batch gives."""
    cut = min(cut, len(events) - 1)
    left: list[Event] = []
    for part in (events[:cut], events[cut:]):
        left += facts(part)
    assert facts(left) == facts(events)


def versions(events: list[Event]) -> list[IssueEvent]:
    """Return what is left of a sighting, the newest last."""
    (kept,) = folded(events).sightings.values()
    return [event for event, _, _ in kept.versions]


def recounted(events: list[Event]) -> list[IssueEvent]:
    """Return the newest of each kind, naively: those that open, those that resolve, those that are no issue."""

    def kind(event: IssueEvent) -> str:
        return "none" if event.data.state == "opened" and event.data.error_code == 0 else event.data.state.value

    def version(event: IssueEvent) -> tuple[int, int, int]:
        return event.data.attempt, event.data.seq, digest(event)

    of_kind: dict[str, IssueEvent] = {}
    for event in sorted((event for event in events if isinstance(event, IssueEvent)), key=version):
        of_kind[kind(event)] = event
    return sorted(of_kind.values(), key=version)


@settings(max_examples=300, deadline=None)
@given(st.lists(sightings, min_size=1, max_size=8), st.data())
def test_p5_sightings_do_not_care_for_order(events: list[Event], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(events), max_size=8))
    delivered = data.draw(st.permutations(events + repeats))
    assert versions(delivered) == versions(events) == recounted(events)


@settings(max_examples=300, deadline=None)
@given(st.lists(sightings, min_size=2, max_size=8), st.integers(1, 7))
def test_p5_batches_of_sightings_may_be_cut_anywhere(events: list[Event], cut: int) -> None:
    cut = min(cut, len(events) - 1)
    assert versions([*versions(events[:cut]), *versions(events[cut:])]) == versions(events)


def test_what_opened_an_issue_is_left_beside_what_resolved_it() -> None:
    opened, resolved = sighting(1, 0, "opened", 1, "a"), sighting(1, 1, "resolved", 0, "b")
    for events in ([opened, resolved], [resolved, opened]):
        assert versions(events) == [opened, resolved]
    reopened = sighting(1, 2, "opened", 2, "a")
    assert versions([reopened, opened, resolved]) == [resolved, reopened]


def test_the_newest_that_ended_gives_the_counts_while_a_greater_attempt_runs() -> None:
    ended, running = word(1, 2, "errors", 2), word(2, 0, "running", 0)
    for events in ([ended, running], [running, ended]):
        state, counted = facts(events)
        assert (state, counted) == (running, ended)
    finished = word(2, 1, "finished", 1)
    assert facts([finished, running, ended]) == (finished, finished)


def test_a_copy_keeps_the_append_time_of_the_first() -> None:
    fold = Fold()
    event = word(1, 1, "finished", 1)
    for appended_ms in (100, 200, 150):
        fold.add(event, appended_ms, 0)
    (kept,) = fold.sessions.values()
    assert (kept.appended_ms, kept.first_ms, fold.clashes) == (100, 100, 0)


def test_c12_the_same_version_with_other_counts_is_a_clash() -> None:
    assert folded([word(1, 2, "finished", 1), word(1, 2, "finished", 2)]).clashes == 1


def test_c18_an_id_of_another_user_is_refused_and_a_moved_start_too() -> None:
    def of(user: int, **more: Any) -> Event:
        return session(SESSION, user_id=UUID(int=user), organization_id=ORGANIZATION, **more)

    fold = Fold()
    assert fold.add(of(1), 1, 0) is None
    assert fold.add(of(2), 2, 0) == FOREIGN
    later = NOW - timedelta(minutes=9)
    assert fold.add(of(1, started_at=later), 3, 0) == STARTED_AT_CHANGED
    assert fold.add(of(2, started_at=later), 4, 0) is None
    assert fold.add(of(3, started_at=later), 5, 0) == FOREIGN
    assert len(fold.sessions) == 2
