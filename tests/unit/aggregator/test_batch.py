"""What a batch notes of its records beside the fold, also when some of them turn out not to go in."""

from collections import Counter
from datetime import timedelta
from uuid import uuid4

from services.aggregator.batch import SAMPLED, Work, halves, work_of
from tests.rig.stream import EVENTS, NOW, FakeLog, session

SESSION = "syncwatch.session.v1"


def test_each_record_is_counted_as_applied_or_stands_aside() -> None:
    work = _log(first_words=3).work()
    (sifted,) = work.sifted
    assert sifted.applied == Counter({SESSION: 3})
    assert [(index, reject.reason) for index, reject in sifted.aside] == [(3, "not_json")]
    assert work.records == 4


def test_the_ages_of_one_record_in_so_many_are_kept() -> None:
    log = _log(first_words=SAMPLED + 1)
    (sifted,) = log.work().sifted
    kept = [log.records[EVENTS, 0][index].timestamp for index in (0, SAMPLED)]
    assert [appended_ms for appended_ms, _ in sifted.sample] == kept
    assert all(emitted is not None for _, emitted in sifted.sample)


def test_what_is_refused_later_is_taken_out_of_what_was_applied() -> None:
    work = _log(first_words=3).work()
    again: Work = work_of(work.parts, {(EVENTS, 0, 1): ("refused_by_database", "22003")})
    (sifted,) = again.sifted
    assert sifted.applied == Counter({SESSION: 2})
    assert [(index, reject.reason) for index, reject in sifted.aside] == [(1, "refused_by_database"), (3, "not_json")]
    assert len(again.fold.sessions) == 2
    assert len(work.fold.sessions) == 3  # the first work is what it was


def test_a_pause_is_noted_of_the_half_that_it_is_in() -> None:
    log = FakeLog()
    log.append(session(uuid4(), user_id=uuid4(), organization_id=uuid4()))
    for minutes in (3, 3.5, 4):
        log.append(session(uuid4(), user_id=uuid4(), organization_id=uuid4()), at=NOW + timedelta(minutes=minutes))
    first, rest = (work_of(parts, {}) for parts in halves(log.work().parts))
    assert [span.resumed_at for span in (*first.spans, *rest.spans)] == [NOW + timedelta(minutes=3), None]
    assert [(part.held.next_offset, part.records[0].offset) for part in (*first.parts, *rest.parts)] == [(0, 0), (2, 2)]


def _log(*, first_words: int) -> FakeLog:
    """Return a log of sessions that have begun, and behind them a record that holds no event."""
    log = FakeLog()
    for _ in range(first_words):
        log.append(session(uuid4(), user_id=uuid4(), organization_id=uuid4()))
    log.append(b"no event")
    return log
