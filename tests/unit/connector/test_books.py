"""What the books of a pass say beside its status."""

from __future__ import annotations

from schemas.events import Direction
from services.ingest.connectors.caldav_crm.books import Books

TO_CRM, TO_MAIL = Direction.MAIL_TO_CRM, Direction.CRM_TO_MAIL


def test_a_pass_that_went_through_has_nothing_to_say() -> None:
    books = Books()
    books.counts.update({(TO_CRM, "fetched"): 8, (TO_CRM, "created"): 8, (TO_MAIL, "skipped"): 1})
    assert books.detail() == ""


def test_what_did_not_go_through_is_counted_by_how() -> None:
    books = Books()
    books.counts.update({(TO_CRM, "conflicts"): 2, (TO_CRM, "failed"): 1, (TO_MAIL, "failed"): 3})
    assert (
        books.detail()
        == "2 appointments in conflict, 3 appointments refused by the calendar, 1 appointment refused by the CRM"
    )


def test_a_pass_that_was_given_up_says_at_what_and_what_it_had_done() -> None:
    books = Books(stopped_while="changing the CRM")
    assert books.detail() == "stopped while changing the CRM"
    books.counts.update({(TO_CRM, "created"): 2, (TO_CRM, "updated"): 1, (TO_CRM, "failed"): 1})
    assert books.detail() == "stopped while changing the CRM after 3 changes, 1 appointment refused by the CRM"
