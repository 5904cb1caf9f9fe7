"""A list as its template gets it."""

from datetime import UTC, datetime

import pytest

from schemas.columns import LISTS
from services.query.panel import table
from services.query.views.view import All, View, parse

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def view(name: str, masked: bool = False, **asked: str) -> View:
    return parse(name, list(asked.items()), scope=All(), now=NOW, secret=b"", masked=masked)


def test_an_export_tells_beforehand_what_excel_will_not_show() -> None:
    assert table.export_note(some=False, exact=True) == "There is nothing to export"
    assert table.export_note(some=True, exact=True) == ""
    assert table.export_note(some=True, exact=False).startswith("Excel shows the first 1,048,575 rows only")


@pytest.mark.parametrize("name", LISTS)
def test_every_order_offered_is_understood_and_is_the_one_it_says(name: str) -> None:
    for masked in (False, True):
        offered = table.orders(view(name, masked))
        assert [order.title for order in offered if order.shown] == [table.sort_words(view(name))]
        for order in offered:
            assert table.sort_words(view(name, masked, sort=order.name)) == order.title


def test_an_order_of_two_columns_and_the_default_one_of_a_hidden_column_are_offered_too() -> None:
    offered = {
        order.name: order for order in table.orders(view("organizations", sort="-users,name", columns="name,users"))
    }
    assert offered["-users,name"].shown
    assert offered["-users,name"].title == "Users, most first, then Name"
    assert offered[""].title == "Health, most urgent first"
    assert set(offered) == {"-users,name", "", "-health", "name", "-name", "users", "-users"}
