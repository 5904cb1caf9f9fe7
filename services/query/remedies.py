"""What to do about the errors that rows tell of, or that a list's filters name: once for each kind. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from schemas.remediation import advice, advice_on_issue
from schemas.vocabulary import ERROR_SOURCE, error_kind
from services.query.views.filters import Among, Exactly
from services.query.views.view import View

_OF_A_KIND: Final = ("failing_for", "failed_for")
"""Columns whose `eq:` names a source and a category."""


def on_issues(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what to do about issues, once for each error code, source and category: the advice, how many `issues` it
    is on, and the `failure_code` where that has advice of its own.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        error_code, source, category = row["error_code"], row["error_source"], row["error_category"]
        told = advice_on_issue(source, category, row["failure_code"], error_code)
        code = None if told == advice_on_issue(source, category, None, error_code) else row["failure_code"]
        kind = {"error_code": error_code, "error_source": source, "error_category": category, "failure_code": code}
        found.setdefault(tuple(kind.values()), kind | {"issues": 0, **asdict(told)})["issues"] += 1
    return list(found.values())


def on_filters(view: View) -> dict[str, Any] | None:
    """Return what to do about the one kind of error that a list is narrowed to: its source, category and code, and the
    advice; None where the filters name none, or several.
    """
    kind = _kind(view) or (_only(view, "error_source"), _only(view, "error_category"))
    if None in kind:
        return None
    source, category = kind
    code = _only(view, "error_code")
    return {"source": source, "category": category, "code": code, **asdict(advice(source, category, code))}


def _kind(view: View) -> tuple[str, str] | None:
    """Return a source that is listed, and its category, which need not be."""
    named = [said for name in _OF_A_KIND if view.list.column(name) and (said := _only(view, name))]
    for source in ERROR_SOURCE:
        for said in named:
            if said.startswith(error_kind(source, "")):
                return source, said.removeprefix(error_kind(source, ""))
    return None


def _only(view: View, name: str) -> str | None:
    """Return the one value that a filter leaves of a column."""
    each = view.filter_of(name)
    if each is None or each.negated:
        return None
    match each.test:
        case Among(slugs=(slug,), texts=()):
            return slug
        case Exactly(values=(str() as value,)):
            return value
        case _:
            return None
