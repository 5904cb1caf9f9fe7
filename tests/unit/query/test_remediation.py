"""The remediation catalogue always answers, the most specific entry first."""

from __future__ import annotations

import json
from pathlib import Path

from schemas.reasons import REASONS
from schemas.remediation import WHO, advice, advice_on, advice_on_issue
from schemas.vocabulary import ERROR_CATEGORY, ERROR_CODE, ERROR_SOURCE

CATALOGUE = json.loads((Path(__file__).parents[3] / "schemas" / "remediation.json").read_text(encoding="utf-8"))
ENTRIES = CATALOGUE["entries"]


def test_every_source_and_category_gets_cause_steps_and_who_can_fix_it() -> None:
    for source in (*ERROR_SOURCE, None, "brand_new"):
        for category in (*ERROR_CATEGORY, None, "never_heard"):
            found = advice(source, category)
            assert found.cause
            assert found.steps
            assert found.who in WHO
            assert found.version


def test_what_is_not_listed_gets_the_general_answer_and_says_so() -> None:
    assert not advice("brand_new", "never_heard").listed
    assert advice("gmail", "authentication").listed
    assert advice("brand_new", "authentication").listed


def test_the_code_decides_before_the_category() -> None:
    assert advice("office365", "authentication", "AADSTS700082").cause != advice("office365", "authentication").cause


def test_an_emptied_side_is_an_administrators_to_judge_not_invalid_data() -> None:
    found = advice("connector", "conflict", "StorageEmpty")
    assert found.who == "organization_admin"
    assert "nothing was changed" in found.cause
    assert advice("connector", "conflict").cause != found.cause


def test_the_facts_that_have_advice_are_facts_that_decide_a_status() -> None:
    assert set(CATALOGUE["reasons"]) <= set(REASONS)
    found = advice_on("session_timed_out")
    assert found is not None
    assert found.cause != advice(None, None).cause
    assert advice_on("session_finished") is None


def test_every_code_of_an_issue_has_an_answer_and_its_error_a_better_one() -> None:
    by_code = [advice_on_issue(None, None, None, code) for code in ERROR_CODE]
    assert len({found.cause for found in by_code}) == len(ERROR_CODE)
    assert set(CATALOGUE["issue_codes"]) == set(map(str, ERROR_CODE))
    assert advice_on_issue("crm", "validation", None, 1) == advice("crm", "validation")
    assert advice_on_issue("crm", "brand_new", None, 1) == by_code[1]
    assert advice_on_issue("crm", "validation", None, 0) == by_code[0], "a success has nothing to mend"


def test_an_issue_has_the_answer_of_its_failures_code_as_its_session_has() -> None:
    of_session = advice("office365", "authentication", "AADSTS700082")
    assert advice_on_issue("office365", "authentication", "AADSTS700082", 1) == of_session
    assert (
        advice_on_issue("office365", "authentication", None, 1) == advice("office365", "authentication") != of_session
    )


def test_who_and_steps_stand_in_every_entry() -> None:
    for entry in (*ENTRIES, *CATALOGUE["reasons"].values(), *CATALOGUE["issue_codes"].values(), CATALOGUE["general"]):
        assert entry["who"] in WHO
        assert all(step.endswith(".") for step in [entry["cause"], *entry["steps"]])


def test_no_entry_hides_behind_a_more_general_one() -> None:
    for at, entry in enumerate(ENTRIES):
        for earlier in ENTRIES[:at]:
            hidden = all(
                name not in earlier or set(entry.get(name, ["?"])) <= set(earlier[name])
                for name in ("source", "category", "code")
            )
            assert not hidden, entry["cause"]


def test_entries_use_known_words() -> None:
    for entry in ENTRIES:
        assert set(entry.get("source", [])) <= set(ERROR_SOURCE)
        assert set(entry.get("category", [])) <= set(ERROR_CATEGORY)
