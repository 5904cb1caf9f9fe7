"""The remediation catalogue: for an error's source, category and code its cause, who can fix it, and the steps.

The entries are data, in `remediation.json`, with a version; what is not listed gets the category's answer, else the
general one, so that an error is never shown without something to do. Where a status has no error of its own, the fact
that decided it has an entry; where an issue has none, its error code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

WHO: Final = {"user": "the user", "organization_admin": "an administrator of the organization", "vendor": "the vendor"}


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about an error. `who`: user, organization_admin or vendor; `listed`: False for the general answer."""

    cause: str
    who: str
    who_words: str
    steps: tuple[str, ...]
    listed: bool
    version: str


def advice(source: str | None, category: str | None, code: str | None = None) -> Advice:
    """Return the advice for an error, the most specific that is listed; always an answer."""
    catalogue = _catalogue()
    for entry in catalogue["entries"]:
        if _fits(entry, source or "unknown", category, code):
            return _advice(entry, True, catalogue["version"])
    return _advice(catalogue["general"], False, catalogue["version"])


def advice_on(reason: str) -> Advice | None:
    """Return the advice on the fact that decided a status, a slug of `schemas.reasons`; None where none is listed."""
    catalogue = _catalogue()
    entry = catalogue["reasons"].get(reason)
    return None if entry is None else _advice(entry, True, catalogue["version"])


def advice_on_issue(source: str | None, category: str | None, code: str | None, error_code: int) -> Advice:
    """Return the advice on an issue: on its failure where that is listed, else on its error code, 0 to 3."""
    catalogue = _catalogue()
    told = advice(source, category, code)
    if error_code and told.listed:
        return told
    return _advice(catalogue["issue_codes"][str(error_code)], True, catalogue["version"])


def _fits(entry: dict[str, Any], source: str, category: str | None, code: str | None) -> bool:
    # The first entry that fits is the most specific: a test keeps the file in that order.
    wanted = (("source", source), ("category", category), ("code", code))
    return all(name not in entry or value in entry[name] for name, value in wanted)


def _advice(entry: dict[str, Any], listed: bool, version: str) -> Advice:
    return Advice(entry["cause"], entry["who"], WHO[entry["who"]], tuple(entry["steps"]), listed, version)


@cache
def _catalogue() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files("schemas").joinpath("remediation.json").read_text(encoding="utf-8"))
    return loaded
