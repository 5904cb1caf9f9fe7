"""The spans of a search follow one another without a gap, and end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.views.search import Walk, is_loose
from services.query.views.view import All, Cursor, One, OneUser, View, parse

NOW = datetime(2026, 11, 24, 14, 2, 31, tzinfo=UTC)


def view(*filters: tuple[str, str], scope: All | One | OneUser | None = None) -> View:
    return parse("sessions", filters, scope=scope or All(), now=NOW, secret=b"for tests")


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(-1, 1)), max_size=40),
    st.booleans(),
    st.sampled_from(["", "2026-11-01..", "..2026-11-20", "2026-11-01..2026-11-20", "2020-01-01", "..2020-01-01"]),
    st.sampled_from([None, Cursor(False, 0, ("2026-11-10 07:00:00.5+00", str(UUID(int=7))))]),
)
def test_spans_join_and_end(times: list[tuple[float, float]], older: bool, run: str, cursor: Cursor | None) -> None:
    asked = view(("run", run), ("agent", "x"), ("sort", "-run" if older else "run"))
    asked = View(**{name: getattr(asked, name) for name in View.__dataclass_fields__} | {"cursor": cursor})
    walk = Walk(asked, 0, searching=True)
    edge = walk.edge
    for took, left in [*times, *[(0.001, 1.0)] * 200]:
        span = walk.next()
        if span is None:
            break
        assert (span.high if older else span.low) == edge
        assert span.low is None or span.high is None or span.low < span.high
        walk.looked(span, took, left)
        edge = walk.edge
    else:
        pytest.fail("the walk goes on for ever")


def test_a_walk_goes_on_from_its_place() -> None:
    walk = Walk(view(("agent", "x")), 0, searching=True)
    span = walk.next()
    assert span is not None
    walk.looked(span, 0.1, 0.1)
    assert walk.edge is not None
    place = walk.place(walk.edge)
    assert place == Cursor(False, 0, ((NOW - timedelta(minutes=5)).isoformat(), str(UUID(int=0))))


def test_what_has_an_index_needs_no_search() -> None:
    nothing: frozenset[str] = frozenset()
    assert not is_loose(view(("run", "24h"), ("status", "errors")), nothing)
    assert is_loose(view(("user", "zoe")), nothing)
    assert not is_loose(view(("user", "zoe")), frozenset({"user"}))
    assert not is_loose(view(("status", "not:errors")), nothing), "the other statuses are a set like these"
    assert is_loose(view(("run", "not:24h")), nothing)
    assert not is_loose(view(("agent", "x"), scope=OneUser(UUID(int=1), UUID(int=2))), nothing)
