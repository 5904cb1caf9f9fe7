"""P7: the reject brake."""

from __future__ import annotations

from uuid import UUID, uuid4

from services.aggregator.brake import Brake


def feed(brake: Brake, outcomes: str, organizations: dict[str, UUID | None]) -> tuple[Brake, int | None]:
    """Feed events, one letter each: `.` good, another letter a reject of that organization."""
    rejected = [(index, organizations[letter]) for index, letter in enumerate(outcomes) if letter != "."]
    return brake.after(len(outcomes), rejected)


ORGANIZATIONS = {"a": uuid4(), "b": uuid4(), "?": None}


def test_p7_a_hundred_unreadable_in_a_row_pull_it() -> None:
    brake, pulled = feed(Brake(), "." * 50 + "?" * 99 + ".", ORGANIZATIONS)
    assert pulled is None
    _, pulled = feed(brake, "?" * 99, ORGANIZATIONS)
    assert pulled == 1  # the window: 99 before and two now are more than 100 of the last 1,000


def test_p7_more_than_a_tenth_of_a_thousand_pulls_it() -> None:
    one_in_eleven, one_in_nine = ("?" + "." * 10) * 400, ("?" + "." * 8) * 400
    assert feed(Brake(), one_in_eleven, ORGANIZATIONS)[1] is None
    assert feed(Brake(), one_in_nine, ORGANIZATIONS)[1] is not None


def test_p7_one_hostile_organization_alone_never_pulls_it() -> None:
    brake = Brake()
    for _ in range(20):
        brake, pulled = feed(brake, "a" * 500 + ".", ORGANIZATIONS)
        assert pulled is None
    assert feed(brake, "ab" * 101, ORGANIZATIONS)[1] is not None  # the others fail too: it is ours


def test_p7_what_was_rejected_in_earlier_batches_counts() -> None:
    brake = Brake()
    for _ in range(9):
        brake, pulled = feed(brake, "?" * 10, ORGANIZATIONS)
        assert pulled is None
    assert feed(brake, "?" * 20, ORGANIZATIONS)[1] == 9


def test_c27_a_few_poison_pills_do_not_pull_it() -> None:
    brake = Brake()
    for _ in range(100):
        brake, pulled = feed(brake, "." * 30 + "?a?", ORGANIZATIONS)
        assert pulled is None
