"""No text is run by a spreadsheet, and none that would not be run is touched."""

from __future__ import annotations

from services.query.formulas import guarded
from services.query.panel.rows import report_text
from tests.corpus.formulas import CASES


def test_c19_what_a_spreadsheet_would_run_is_guarded_and_nothing_else() -> None:
    assert {text: guarded(text) for text in CASES} == CASES


def test_c19_a_copied_report_holds_no_formula_and_no_cell_too_many() -> None:
    kinds = ['=HYPERLINK("x")', "＝1", "'-1", "x\t=1", "x\r\n@y", "contact"]
    report = [{"type": kind, "direction": "mail_to_crm"} for kind in kinds]
    head, *lines = (line.split("\t") for line in report_text(report, "+mail", "crm").split("\n"))
    assert [cells[0] for cells in lines] == ['\'=HYPERLINK("x")', "'＝1", "''-1", "x =1", "x @y", "Contact"]
    assert {cells[1] for cells in lines} == {"'+mail to CRM"}
    assert {len(cells) for cells in lines} == {len(head)}
