"""A view is parsed from its URL, writes itself back, and its cursors fit it alone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.columns import LISTS
from services.query.hours import first_hour
from services.query.views import statements
from services.query.views.expressions import OF_KIND
from services.query.views.probes import probes
from services.query.views.search import AHEAD
from services.query.views.view import All, BadQuery, Cursor, One, OneUser, Scope, View, parse, seal, unseal

NOW = datetime(2026, 11, 24, 14, 2, 31, tzinfo=UTC)
SECRET = b"for tests"
A = UUID(int=1)
B = UUID(int=2)


def view(list_name: str, query: str = "", scope: Scope | None = None, **more: Any) -> View:
    params = parse_qsl(query, keep_blank_values=True)
    return parse(list_name, params, scope=scope or One(A), now=NOW, secret=SECRET, **more)


def problems(list_name: str, query: str, **more: Any) -> dict[str, tuple[str, ...]]:
    with pytest.raises(BadQuery) as refused:
        view(list_name, query, **more)
    return {problem.parameter: problem.allowed for problem in refused.value.problems}


def test_every_column_of_every_list_has_its_sql() -> None:
    for each in LISTS.values():
        assert [column.name for column in each.columns if column.name not in OF_KIND[each.kind]] == []


def test_the_sources_columns_stand_in_their_order() -> None:
    titles = [column.title for column in LISTS["statistics"].shown]
    assert titles == [
        "User", "Run", "Status", "Objects", "Objects", "Changes", "Failures", "Total Changes", "Error Source",
        "Error Category", "Exception", "Issues", "Conflicts",
    ]  # fmt: skip
    assert [column.title for column in LISTS["user_issues"].shown] == [
        "Type", "Name", "Direction", "Operation name", "Error Code", "Error Text", "Session", "First seen", "Times",
    ]  # fmt: skip


def test_headings_are_unique_in_every_list() -> None:
    for each in LISTS.values():
        headings = [column.heading for column in each.columns]
        assert sorted(set(headings)) == sorted(headings), each.name


def test_c24_everything_wrong_is_told_at_once_with_what_is_allowed() -> None:
    found = problems("statistics", "emial=x&failures=abc&sort=-nope&columns=foo&limit=501&cursor=garbage&tz=Mars/Base")
    assert set(found) == {"emial", "failures", "sort", "columns", "limit", "cursor", "tz"}
    assert "email" in found["emial"]
    assert "run" in found["sort"]
    assert "report" in found["columns"]
    assert problems("statistics", "limit=0").keys() == {"limit"}
    assert problems("statistics", "status=errors&status=finished").keys() == {"status"}
    assert problems("statistics", "started_at=2026-11-01&run=2026-11-02").keys() == {"run"}
    assert problems("statistics", "sep=comma").keys() == {"sep"}
    assert problems("statistics", "sep=pipe", csv=True).keys() == {"sep"}


def test_an_empty_box_is_no_filter() -> None:
    boxes = "&".join(f"{column.name}=" for column in LISTS["statistics"].columns)
    assert view("statistics", boxes).filters == ()


def test_r21_the_default_filter_applies_on_a_first_visit_alone() -> None:
    assert [each.text for each in view("statistics", defaults=True).filters] == ["errors,timed_out"]
    assert view("statistics", "status=", defaults=True).filters == ()
    assert [each.text for each in view("statistics", "status=running", defaults=True).filters] == ["running"]
    assert view("statistics").filters == ()


def test_c23_a_view_writes_itself_back_with_every_plus_escaped() -> None:
    asked = view("users", "email=ann%2Bcrm@example.org&last_session=2026-11-01T00:00:00%2B01:00..&tz=Europe/Berlin")
    written = asked.query()
    assert "ann%2Bcrm" in written
    assert "+" not in written
    assert view("users", written).filters == asked.filters
    assert view("users", written).zone.key == "Europe/Berlin"


def test_a_dropped_default_filter_stays_off() -> None:
    first = view("statistics", "failures=3..", defaults=True)
    taken_off = view("statistics", first.query(drop="status"), defaults=True)
    assert [each.column.name for each in taken_off.filters] == ["failures"]
    for written in (
        taken_off.query(),
        taken_off.query(sort="-run"),
        taken_off.query(drop="failures"),
        taken_off.query(drop=["failures"], cursor=None),
    ):
        assert view("statistics", written, defaults=True).filter_of("status") is None
    assert view("statistics", taken_off.query(status="running"), defaults=True).filter_of("status") is not None


@given(
    st.lists(
        st.sampled_from(["user=zoe", "status=errors", "sort=-run", "columns=user,run", "limit=7", "tz=Asia/Tokyo"])
    )
)
def test_a_view_is_the_same_after_it_was_written_and_read(parts: list[str]) -> None:
    asked = view("statistics", "&".join(dict.fromkeys(parts)))
    again = view("statistics", asked.query())
    assert again.query() == asked.query()
    assert (again.filters, again.sort, again.columns, again.limit) == (
        asked.filters,
        asked.sort,
        asked.columns,
        asked.limit,
    )


PLACE = Cursor(False, 0, ("2026-11-24 14:02:31+00", None))


def test_q9_a_cursor_fits_its_own_view_alone() -> None:
    text = seal(PLACE, view("sessions"), SECRET)
    assert unseal(text, view("sessions"), SECRET) == PLACE
    assert unseal(text, view("sessions", "status=errors"), SECRET) is None
    assert unseal(text, view("sessions", "sort=run"), SECRET) is None
    assert unseal(text, view("sessions", scope=One(B)), SECRET) is None
    assert unseal(text, view("sessions", scope=All()), SECRET) is None
    assert unseal(text, view("statistics"), SECRET) is None
    assert unseal(text, view("sessions"), b"another secret") is None
    assert unseal(text, view("sessions", "limit=3"), SECRET) == PLACE


@given(st.data())
def test_q9_a_cursor_that_was_touched_is_refused(data: st.DataObject) -> None:
    text = seal(PLACE, view("sessions"), SECRET)
    at = data.draw(st.integers(0, len(text) - 2))  # the last character holds unused bits
    other = data.draw(st.sampled_from("ABab01-_é ").filter(lambda letter: letter != text[at]))
    assert unseal(text[:at] + other + text[at + 1 :], view("sessions"), SECRET) is None


@given(st.text(max_size=80))
def test_s26_no_text_is_a_cursor(text: str) -> None:
    assert unseal(text, view("sessions"), SECRET) is None


def test_names_cannot_be_searched_or_sorted_while_masked() -> None:
    assert problems("user_issues", "name=a", masked=True).keys() == {"name"}
    with pytest.raises(BadQuery, match="Name is masked for your role"):
        view("user_issues", "sort=name", masked=True)
    assert view("user_issues", "name=a&sort=name").filters


def test_texts_that_may_hold_names_can_be_searched_but_not_sorted_by_while_masked() -> None:
    for name, query in (("user_issues", "error_text"), ("sessions", "status_detail")):
        assert problems(name, f"sort={query}", masked=True).keys() == {"sort"}
        assert view(name, f"sort={query}").sort[0].column.name == query
    masked = parse("sessions", [("exception", "refused")], scope=All(), now=NOW, secret=SECRET, masked=True)
    told = statements.selection(masked, {"Exception": "1"})
    assert "issue_sighting" in told.sql, "what is found is what is shown"
    assert told.args.count("refused") == 2
    assert "issue_sighting" not in statements.selection(replace(masked, masked=False), {"Exception": "1"}).sql


# ---------------------------------------------------------------------------------------------- SQL
HOSTILE = "x'; DROP TABLE account; --"
SCOPES = (All(), One(A), OneUser(A, B))


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("list_name", [name for name in LISTS if name != "organizations"])
def test_s16_what_was_sent_is_bound_and_never_in_the_statement(list_name: str, scope: Scope) -> None:
    for column in LISTS[list_name].columns:
        if column.type.value not in ("text", "open_list", "direction"):
            continue
        for text in (HOSTILE, f"eq:{HOSTILE}", f"not:{HOSTILE}"):
            asked = parse(list_name, [(column.name, text)], scope=scope, now=NOW, secret=SECRET)
            for statement in (
                statements.page(asked, 0, 9),
                statements.count(asked),
                *(p.statement for p in probes(asked)),
            ):
                assert "drop table" not in statement.sql.casefold()
            bound = repr(statements.page(asked, 0, 9).args).casefold()
            assert "drop table" in bound


def test_the_scope_stands_in_every_branch() -> None:
    sql = statements.selection(view("statistics", "sort=status"), {"Run": "s.started_at"}).sql
    assert sql.count("UNION ALL") == 4
    assert sql.count("s.organization_id = $") == 5
    assert "s.user_id = $" in statements.page(view("user_sessions", scope=OneUser(A, B)), 0, 9).sql


def test_statuses_are_constants_so_that_partial_indexes_serve() -> None:
    asked = view("statistics", "status=errors,timed_out&sort=status")
    assert statements.branches(asked) == [0]
    assert "s.status IN ('errors', 'timed_out')" in statements.page(asked, 0, 9).sql
    sql = statements.page(view("statistics", "status=not:finished&sort=-run"), 0, 9).sql
    assert "s.status IN ('errors', 'timed_out', 'finished_with_issues', 'running', 'cancelled')" in sql


def test_all_statuses_at_once_are_sorted_and_begin_at_the_place_of_one() -> None:
    asked = view("statistics", "agent=x&status=not:finished")
    sql = statements.page(asked, None, 9).sql
    case = (
        "CASE WHEN s.status IN ('errors', 'timed_out') THEN 0 WHEN s.status = 'finished_with_issues' THEN 1 "
        "WHEN s.status = 'running' THEN 2 WHEN s.status = 'cancelled' THEN 3 END"
    )
    assert sql.count(f"ORDER BY {case} ASC, s.started_at DESC, s.session_id DESC") == 2
    assert f"{case} AS _branch, ARRAY[(s.started_at)::text, (s.session_id)::text] AS _keys" in sql
    behind = statements.page(replace(asked, cursor=Cursor(False, 2, ("2026-11-24 14:02:31+00", str(A)))), None, 9)
    assert behind.args[-3:] == ("2", "2026-11-24 14:02:31+00", str(A))
    assert "WHEN s.status IN ('errors'" not in behind.sql, "what stands before the place is not looked at"


def test_not_some_words_is_asked_for_as_the_others_where_the_column_is_never_empty() -> None:
    sql = statements.page(view("issues", "state=not:resolved", scope=All()), 0, 9).sql
    assert "(i.state IN ('open', 'regressed'))" in sql
    sql = statements.page(view("users", "session_status=not:errors", scope=All()), 0, 9).sql
    assert "(us.last_status = 'errors') IS NOT TRUE" in sql


def test_places_are_numbered_without_gaps() -> None:
    asked = view("users", "user=a&organization=b&status=failing&failures=>=2&why=x", scope=All())
    of_all = view("statistics", "agent=x&user=a&sort=-status")
    of_all = replace(of_all, cursor=Cursor(False, 2, ("2026-11-24 14:02:31+00", str(A))))
    whole = statements.page(of_all, None, 9, statements.Picks(among=[A]))
    failed = view("users", "failed_for=x&columns=user,failed_for", scope=All())
    of_day = statements.page(failed, 0, 9), statements.count(failed), probes(failed)[0].statement
    for statement in (statements.page(asked, 0, 9), statements.count(asked), whole, *of_day):
        places = {int(number) for number in re.findall(r"\$(\d+)", statement.sql)}
        assert places == set(range(1, len(statement.args) + 1))
    for statement in of_day:
        assert statement.args[-2:] == (first_hour(NOW), NOW + AHEAD)


def test_who_failed_is_looked_up_and_who_did_not_is_not() -> None:
    wanted = {"x": True, "eq:x": True, "not:has:empty": True, "not:x": False, "has:empty": False}
    for text, looked_up in wanted.items():
        for name in ("users", "organization_users", "organizations"):
            asked = view(name, f"failed_for={text}", scope=All())
            assert [each.columns for each in probes(asked)] == [{"failed_for"}] * looked_up, (name, text)
