"""A user's recent sessions: any order and any number of deliveries, packed or not, give the same twenty."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.keys import session_key, session_keys
from schemas.recent import (
    ENDED,
    FAILED,
    WINDOW,
    Recent,
    RecentSession,
    is_mere_progress,
    limit_of,
    merged,
    outlines,
    pack,
    unpack,
)

START = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
STATUSES = ("running", "finished", "finished_with_issues", "errors", "cancelled", "timed_out")


def session(number: int, status: str = "finished", *, attempt: int = 1, seq: int = 1, **other: object) -> RecentSession:
    """A session that began `number` hours after START; what it holds follows from its identity and version."""
    started = START + timedelta(hours=number)
    at = started + timedelta(minutes=attempt, seconds=seq)
    values: dict[str, object] = {
        "began": started, "at": at, "limit_at": at + timedelta(minutes=30) if status == "running" else None, **other,
    }  # fmt: skip
    return RecentSession(UUID(int=number + 1), started, attempt=attempt, seq=seq, status=status, **values)  # type: ignore[arg-type]


def seeing(*sessions: RecentSession) -> Recent:
    return reduce(Recent.seeing, sessions, Recent(None))


@st.composite
def versions(draw: st.DrawFn, most: int = 30) -> RecentSession:
    """Few sessions, attempts and seqs, so that versions meet and tie; content follows from the version."""
    number, attempt, seq = draw(st.integers(0, most)), draw(st.integers(1, 2)), draw(st.integers(0, 3))
    status = STATUSES[(number * 7 + attempt * 3 + seq) % len(STATUSES)]
    return session(number, status, attempt=attempt, seq=seq, interval_s=(None, 0, 1800)[number % 3])


def version_of(each: RecentSession) -> tuple[int, int, int]:
    return each.session_id.int, each.attempt, each.seq


@given(st.lists(versions(), max_size=60), st.data())
def test_p05_order_and_redelivery_change_nothing(events: list[RecentSession], data: st.DataObject) -> None:
    delivered = data.draw(st.permutations(events))
    repeats = data.draw(st.lists(st.sampled_from(events), max_size=8)) if events else []
    in_order = reduce(lambda kept, seen: merged(kept, [seen]), events, list[RecentSession]())
    assert reduce(lambda kept, seen: merged(kept, [seen]), delivered, list[RecentSession]()) == in_order
    assert merged(in_order, []) == in_order
    assert merged([], [*delivered, *repeats]) == in_order


@given(st.lists(versions()), st.lists(versions()), st.lists(versions()))
def test_the_merge_is_associative_and_idempotent(
    one: list[RecentSession], two: list[RecentSession], three: list[RecentSession]
) -> None:
    left = merged(merged(one, two), three)
    assert left == merged(merged([], one), merged(two, three))
    assert merged(left, left) == left
    assert merged(two, one) == merged(one, two)
    assert len(left) <= WINDOW


@given(st.lists(versions(), max_size=60))
def test_the_packed_merge_is_the_plain_one(events: list[RecentSession]) -> None:
    """Where a session fell out of the window, what is told of it later is told too late; so none falls out here."""
    recent = Recent(None)
    plain: list[RecentSession] = []
    for event in events:
        recent, plain = recent.seeing(event), merged(plain, [event])
        assert unpack(recent.raw) == recent.sessions()
        assert [each for each in recent.sessions() if each in plain] == [
            each for each in plain if each in recent.sessions()
        ]
    if len({event.session_id for event in events}) <= WINDOW:
        assert recent.sessions() == plain
        assert recent.raw == pack(plain)


@given(st.lists(versions(most=18), max_size=60))
def test_what_the_packed_form_tells_is_what_the_sessions_say(events: list[RecentSession]) -> None:
    recent = Recent(seeing(*events).raw)
    plain = merged([], events)
    ended = [each for each in plain if each.status in ENDED]
    failed = []
    for each in ended:
        if each.status not in FAILED:
            break
        failed.append(each)
    assert recent.newest == (plain[0] if plain else None)
    assert recent.last_ended == (ended[0] if ended else None)
    assert list(recent.running) == [each for each in plain if each.status == "running"]
    assert recent.streak == (len(failed), failed[-1].at if failed else None)
    assert not any(recent.has_elsewhen(each) for each in plain)


@given(st.lists(versions(), max_size=40))
def test_pack_and_unpack_are_each_others_inverse(events: list[RecentSession]) -> None:
    plain = merged([], events)
    assert unpack(pack(plain)) == plain


def test_a_row_of_failures_goes_on_before_the_window() -> None:
    recent = Recent(None)
    for number in range(336):
        recent = recent.seeing(session(number, "finished" if number == 2 else "errors"))
    assert recent.streak == (333, session(3).at)
    assert len(recent) == WINDOW
    assert len(recent.raw) < 70 * WINDOW + 40
    again = reduce(Recent.seeing, [session(number, "errors") for number in range(3, 336)], recent)
    assert again.raw == recent.raw, "a repeat counts nothing twice"
    mended = recent.seeing(session(336))
    assert mended.streak == (0, None)


def test_a_session_older_than_all_that_fell_out_is_told_too_late() -> None:
    recent = seeing(*(session(number) for number in range(10, 40)))
    assert recent.seeing(session(5, "errors")).raw == recent.raw


def test_p14_a_clock_that_runs_ahead_does_not_make_a_session_the_newest() -> None:
    ahead = session(30, began=START)
    assert seeing(ahead, session(1)).newest == session(1)


def test_c13_the_same_id_with_another_start_is_found() -> None:
    recent = seeing(*map(session, range(25)))
    assert not recent.has_elsewhen(session(20))
    assert recent.has_elsewhen(replace(session(20), started_at=START))
    assert not recent.has_elsewhen(replace(session(20), session_id=UUID(int=999), started_at=START))


def test_c14_the_services_closing_never_outranks_what_comes_later() -> None:
    running, closed = session(1, "running", seq=11), session(1, "timed_out", seq=11)
    recent = seeing(running, closed)
    assert recent.newest == closed
    assert recent.seeing(session(1, "running", seq=13)).newest == session(1, "running", seq=13)
    assert recent.seeing(session(1, "running", seq=10)).newest == closed
    assert recent.seeing(session(1, "finished", seq=12)).last_ended == session(1, "finished", seq=12)


def test_further_words_of_a_running_session_are_no_news() -> None:
    deadline = START + timedelta(hours=5)
    kept, seen = (session(1, "running", seq=seq, limit_at=deadline) for seq in (1, 2))
    assert is_mere_progress(kept, seen)
    assert not is_mere_progress(kept, session(1, "running", seq=2))
    assert not is_mere_progress(kept, session(1, "running", attempt=2, limit_at=deadline))
    assert not is_mere_progress(kept, session(1, seq=2))


def test_a_deadline_grants_a_duration_of_at_most_a_day() -> None:
    heard = START + timedelta(minutes=3)
    times = {"started_at": START + timedelta(days=9), "first_appended_at": START, "appended_at": heard}
    assert limit_of("running", **times, deadline_at=None) == heard + timedelta(minutes=30)
    assert limit_of("running", **times, deadline_at=START + timedelta(days=9, hours=2)) == START + timedelta(hours=2)
    assert limit_of("running", **times, deadline_at=START + timedelta(days=99)) == START + timedelta(days=1)
    assert limit_of("running", **times, deadline_at=START) == START
    assert limit_of("finished", **times, deadline_at=None) is None


@given(st.lists(versions(), max_size=25))
def test_an_outline_says_of_each_session_what_the_whole_record_says(events: list[RecentSession]) -> None:
    raw = seeing(*events).raw
    whole = unpack(raw)[::-1]
    cells = outlines(raw)
    assert [cell[:4] for cell in cells] == [
        (each.status, each.started_at, each.at, each.issues_missing) for each in whole
    ]
    keys = [session_key(each.started_at, each.session_id) for each in whole]
    assert session_keys([cell[-1] for cell in cells]) == keys


def test_nobody_s_outline_is_empty() -> None:
    assert outlines(None) == outlines(b"") == []
