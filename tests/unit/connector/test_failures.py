from __future__ import annotations

from types import MappingProxyType

import aiohttp
import asyncpg
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from vdirsyncer.exceptions import AlreadyExistingError, NotFoundError, PreconditionFailed, WrongEtagError
from vdirsyncer.sync.exceptions import StorageEmpty, SyncConflict
from yarl import URL

from schemas.events import MAX_ERROR_TEXT_BYTES, MAX_EXCEPTION_BYTES, Scope
from services.ingest.agent import texts
from services.ingest.connectors.caldav_crm.failures import (
    NoCredentials,
    PassFailed,
    Side,
    classify,
    cut,
    error_code,
    explain,
    is_of_one_object,
    of_whole_mailbox,
    words,
)


def answer(status: int, message: str = "") -> aiohttp.ClientResponseError:
    """What aiohttp raises for an HTTP status."""
    url = URL("http://127.0.0.1/anna/calendar/")
    headers = CIMultiDictProxy(CIMultiDict({"Authorization": "Basic c2VjcmV0"}))
    request = aiohttp.RequestInfo(url, "PROPFIND", headers, url)
    return aiohttp.ClientResponseError(request, (), status=status, message=message)


CASES = MappingProxyType(
    {
        "a refused password": (answer(401, "Unauthorized"), Side.MAIL, "calendar", "authentication", False),
        "a forbidden calendar": (answer(403), Side.MAIL, "calendar", "authorization", False),
        "too many requests": (answer(429), Side.MAIL, "calendar", "throttling", True),
        "a full calendar": (answer(507), Side.MAIL, "calendar", "quota", False),
        "a crash of the server": (answer(500), Side.MAIL, "calendar", "internal", True),
        "nobody listens": (ConnectionRefusedError(111, "refused"), Side.MAIL, "calendar", "connectivity", True),
        "cut off": (aiohttp.ServerDisconnectedError(), Side.MAIL, "calendar", "connectivity", True),
        "no answer in time": (TimeoutError(), Side.MAIL, "calendar", "timeout", True),
        "a text too long": (asyncpg.StringDataRightTruncationError("long"), Side.CRM, "crm", "validation", False),
        "a row twice": (asyncpg.UniqueViolationError("twice"), Side.CRM, "crm", "duplicate", False),
        "a broken rule": (asyncpg.CheckViolationError("rule"), Side.CRM, "crm", "validation", False),
        "a held row": (asyncpg.LockNotAvailableError("held"), Side.CRM, "crm", "locked", True),
        "a deadlock": (asyncpg.DeadlockDetectedError("dead"), Side.CRM, "crm", "locked", True),
        "a slow statement": (asyncpg.QueryCanceledError("slow"), Side.CRM, "crm", "timeout", True),
        "a wrong CRM password": (asyncpg.InvalidPasswordError("no"), Side.CRM, "crm", "authentication", False),
        "no right in the CRM": (asyncpg.InsufficientPrivilegeError("no"), Side.CRM, "crm", "authorization", False),
        "a missing table": (asyncpg.UndefinedTableError("no"), Side.CRM, "crm", "configuration", False),
        "a CRM that restarts": (asyncpg.AdminShutdownError("bye"), Side.CRM, "crm", "connectivity", True),
        "an emptied side": (StorageEmpty(empty_storage="CRM"), Side.ENGINE, "connector", "conflict", False),
        "two versions": (SyncConflict(ident="u1"), Side.ENGINE, "connector", "conflict", False),
        "no password known": (NoCredentials("none"), Side.ENGINE, "connector", "configuration", False),
        "a bug": (ZeroDivisionError("x"), Side.CRM, "connector", "internal", False),
    }
)


@pytest.mark.parametrize("case", CASES)
def test_a_failure_names_its_source_its_category_and_whether_to_retry(case: str) -> None:
    error, side, source, category, retryable = CASES[case]
    failure = explain(error, side)
    assert (failure.source, failure.category, failure.retryable) == (source, category, retryable)
    assert failure.code
    assert failure.message
    assert "c2VjcmV0" not in f"{failure}"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (asyncpg.LockNotAvailableError("held"), 1),
        (asyncpg.UniqueViolationError("twice"), 1),
        (asyncpg.StringDataRightTruncationError("long"), 1),
        (answer(400), 1),
        (NotFoundError("gone"), 2),
        (WrongEtagError("old"), 3),
        (PreconditionFailed("412"), 3),
        (AlreadyExistingError("there"), 3),
        (SyncConflict(ident="u1"), 3),
    ],
)
def test_the_error_codes_of_the_source_document(error: Exception, code: int) -> None:
    assert error_code(error) == code


def test_the_code_is_the_sqlstate_the_status_or_the_name() -> None:
    assert explain(asyncpg.UniqueViolationError("x"), Side.CRM).code == "23505"
    assert explain(answer(401), Side.MAIL).code == "401"
    assert explain(TimeoutError(), Side.MAIL).code == "TimeoutError"


def test_one_object_is_no_reason_to_give_up_and_a_list_is() -> None:
    held = explain(asyncpg.LockNotAvailableError("held"), Side.CRM)
    assert is_of_one_object(held)
    assert of_whole_mailbox(held).scope is Scope.MAILBOX
    away = explain(ConnectionRefusedError(), Side.MAIL)
    assert not is_of_one_object(away)
    assert of_whole_mailbox(away) is away


def test_a_given_up_pass_keeps_its_explanation_and_a_stranger_is_internal() -> None:
    failure = explain(answer(401), Side.MAIL)
    assert classify(PassFailed(failure)) is failure
    assert (classify(KeyError("x")).source, classify(KeyError("x")).category) == ("connector", "internal")


def test_texts_fit_into_an_event_whole_characters_only() -> None:
    assert len(words(ValueError("日本" * 9000)).encode()) <= MAX_ERROR_TEXT_BYTES
    assert cut("a\0b", 10) == "a\N{REPLACEMENT CHARACTER}b"
    assert cut("日本", 4) == "日"
    deep: Exception = ValueError("first")
    for number in range(900):
        try:
            raise RuntimeError(f"{number} {'x' * 200}") from deep
        except RuntimeError as error:
            deep = error
    sent = texts.failure(explain(deep, Side.CRM)).exception or ""
    assert len(sent.encode()) <= MAX_EXCEPTION_BYTES
    assert sent.startswith("RuntimeError: 899 xxx")
    assert "Caused by ValueError: first" in sent
