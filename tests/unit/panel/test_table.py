"""A list as its template gets it."""

from services.query.panel import table


def test_an_export_tells_beforehand_what_excel_will_not_show() -> None:
    assert table.export_note(some=False, exact=True) == "There is nothing to export"
    assert table.export_note(some=True, exact=True) == ""
    assert table.export_note(some=True, exact=False).startswith("Excel shows the first 1,048,575 rows only")
