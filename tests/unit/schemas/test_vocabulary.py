from __future__ import annotations

import pytest

from schemas.vocabulary import CRM_SYSTEM, MAIL_SYSTEM, direction_words, listed, words


@pytest.mark.parametrize(
    ("direction", "mail", "crm", "shown"),
    [
        ("mail_to_crm", "caldav", "postgres_crm", "CalDAV to Postgres CRM"),
        ("crm_to_mail", "caldav", "postgres_crm", "Postgres CRM to CalDAV"),
        ("mail_to_crm", "exchange", "salesforce", "Exchange to Salesforce"),
        ("crm_to_mail", None, None, "CRM to mail"),
        ("mail_to_crm", "lotus_notes", "salesforce", "lotus_notes to Salesforce"),
    ],
)
def test_a_direction_is_told_in_the_names_of_the_two_systems(
    direction: str, mail: str | None, crm: str | None, shown: str
) -> None:
    assert direction_words(direction, mail, crm) == shown


def test_a_slug_nobody_knows_is_shown_as_sent_and_counted_as_other() -> None:
    assert (words(MAIL_SYSTEM, "lotus_notes"), listed(MAIL_SYSTEM, "lotus_notes")) == ("lotus_notes", "other")
    assert (words(CRM_SYSTEM, None), listed(CRM_SYSTEM, "postgres_crm")) == ("", "postgres_crm")
