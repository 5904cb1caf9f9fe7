"""What to do about the errors that rows tell of, or that a list's filters name: once for each kind. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from schemas.remediation import Advice, advice, advice_on_issue
from schemas.vocabulary import ERROR_CATEGORY, ERROR_SOURCE
from services.query.views.filters import Among, Exactly
from services.query.views.view import View

_BY_WORDS: Final = {
    f"{source_words} {category_words}": (source, category)
    for source, source_words in ERROR_SOURCE.items() for category, category_words in ERROR_CATEGORY.items()
}  # fmt: skip
_OF_A_KIND: Final = ("failing_for", "failed_for")
"""Columns whose text is a source and a category in words."""


def on_issues(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what to do about issues, once for each error code and cause: advice, and how many `issues` it is on."""
    found: dict[tuple[int, Advice], dict[str, Any]] = {}
    for row in rows:
        error_code, category = row["error_code"], row["error_category"]
        told = advice_on_issue(row["error_source"], category, row["failure_code"], error_code)
        kind = {"error_code": error_code, "error_category": category, "issues": 0, **asdict(told)}
        found.setdefault((error_code, told), kind)["issues"] += 1
    return list(found.values())


def on_filters(view: View) -> dict[str, Any] | None:
    """Return what to do about the one kind of error that a list is narrowed to: its source, category and code, and the
    advice; None where the filters name none, or several.
    """
    kind = _kind_in_words(view) or (_only(view, "error_source"), _only(view, "error_category"))
    if None in kind:
        return None
    source, category = kind
    code = _only(view, "error_code") if view.list.kind != "issues" else None
    return {"source": source, "category": category, "code": code, **asdict(advice(source, category, code))}


def _kind_in_words(view: View) -> tuple[str, str] | None:
    named = [_only(view, name) for name in _OF_A_KIND if view.list.column(name)]
    return next((_BY_WORDS[said] for said in named if said in _BY_WORDS), None)


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
