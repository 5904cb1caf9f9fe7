"""How fast processes of the ingest benchmark were, from what each had committed when."""

from tests.bench.speed import Commit, commits_of, speed_of


def test_one_process_counts_from_its_first_commit_to_its_last() -> None:
    speed = speed_of([[Commit(10.0, 500, 50), Commit(11.0, 800, 90), Commit(12.0, 1500, 150)]])
    assert (speed.events_s, speed.rows_s) == (500.0, 50.0)


def test_two_count_only_while_both_are_at_work() -> None:
    """What one does alone, before the other began or when it has ended, is faster than two at once."""
    early = [Commit(1.0, 100, 10), Commit(2.0, 1100, 110), Commit(3.0, 1600, 160), Commit(4.0, 2000, 200)]
    late = [Commit(2.0, 300, 30), Commit(3.0, 700, 70), Commit(4.0, 1100, 110), Commit(5.0, 9100, 910)]
    speed = speed_of([early, late])
    assert (speed.events_s, speed.rows_s) == ((900 + 800) / 2, (90 + 80) / 2)


def test_commits_of_a_worker_are_where_its_partitions_moved() -> None:
    samples = [(1.0, {0: 0, 1: 0}), (1.5, {0: 5, 1: 0}), (2.0, {0: 5, 1: 7, 2: 1}), (2.5, {0: 5, 1: 9, 2: 1})]
    assert commits_of(samples, 0, 2) == [Commit(1.5, 5, 0), Commit(2.0, 6, 0)]
    assert commits_of(samples, 1, 2) == [Commit(2.0, 7, 0), Commit(2.5, 9, 0)]
