"""Counts of statuses: how many sessions they are together."""

from services.query.counting import total_of


def test_counts_of_statuses_add_up_and_are_exact_as_long_as_each_is_and_few_enough() -> None:
    counts = {"errors": (6_000, True), "timed_out": (4_000, True), "running": (1, True), "finished": (70, False)}
    assert total_of(counts, {"errors", "timed_out"}) == (10_000, True)
    assert total_of(counts, {"errors", "timed_out", "running"}) == (10_000, False)
    assert total_of(counts, {"running", "finished"}) == (71, False)
