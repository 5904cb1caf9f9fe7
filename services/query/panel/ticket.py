"""What support pastes into a ticket about a session: plain text, a fact on each line. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from schemas import vocabulary
from services.query.masking import Names, mask, mask_in
from services.query.panel import rows, words
from services.query.panel.facts import user_chain
from services.query.panel.parts import Clock, about_issues, error_kind

_BREAKS: Final = frozenset({"Cc", "Zl", "Zp"})
"""Unicode categories of what would end a line, or do worse."""


def ticket(
    found: Mapping[str, Any], who: Mapping[str, Any] | None, issues_words: str, on_issues: Sequence[Mapping[str, Any]],
    names: Names | None, clock: Clock, link: str,
) -> str:  # fmt: skip
    """Return the text about a session `found`, in which names of objects are masked for everybody.

    `who`: its user, as the page of that user has it; None: not known now. `issues_words`: how many issues it has, empty
    for none. `on_issues`: what to do about them, by kind. `names`: those known of the session; None: they are not known
    now, and so all that the agent said is masked.
    """
    lines = [
        *_about(found, names, clock),
        *([] if who is None else _why(who, clock)),
        *_error(found, clock),
        *([f"Issues: {issues_words}"] if issues_words else []),
    ]
    if found["advice"]:
        lines += _to_do("Cause", found["advice"])
    for advice in on_issues:
        lines += _to_do(one_line(f"Cause of {about_issues(advice)}"), advice)
    return "\n".join([*lines, f"Details: {link}", f"As of: {words.whole(found['as_of'], clock.zone)}"])


def one_line(text: str) -> str:
    """Return what somebody else wrote as words of one line of ours: no break in it makes a line of its own."""
    calm = "".join(" " if unicodedata.category(letter) in _BREAKS else letter for letter in text)
    return words.straight(" ".join(calm.split()))


def _about(found: Mapping[str, Any], names: Names | None, clock: Clock) -> Iterator[str]:
    said = rows.status_detail(found, clock)
    detail = one_line((mask(said) if names is None else mask_in(said, names)) or "")
    yield f"Status: {vocabulary.words(vocabulary.SESSION_STATUS, found['status'])}" + (f", {detail}" if detail else "")
    email = found["user"]["email"]
    yield f"User: {one_line(found['user']['name'])}" + (f" ({one_line(email)})" if email else "")
    yield f"Organization: {one_line(found['organization']['name'])}"
    yield f"Run: {words.whole(found['run'], clock.zone)} to {words.whole(found['ended_at'], clock.zone) or 'now'}"


def _why(who: Mapping[str, Any], clock: Clock) -> Iterator[str]:
    """Give the user's status now, and the fact that decides on it."""
    for fact in user_chain(who):
        if fact.state == "decides":
            since = f", since {words.whole(fact.at, clock.zone)}" if fact.at else ""
            because = f": {one_line(fact.detail)}" if fact.detail else ""
            yield f"The user now: {vocabulary.words(vocabulary.USER_STATUS, who['status'])}{since}{because}"


def _error(found: Mapping[str, Any], clock: Clock) -> Iterator[str]:
    error, same = found["error"], found["same_cause"]
    if error:
        yield one_line(f"Error: {error_kind(error['source'], error['category'], error['code'])}")
    if same and same["users"]:
        since = words.whole(same["since"], clock.zone)
        yield f"Users failing for the same cause: {same['users']:,}, the first since {since}"


def _to_do(title: str, advice: Mapping[str, Any]) -> Iterator[str]:
    yield f"{title}: {advice['cause']}"
    yield f"Who can fix: {advice['who_words']}"
    for number, step in enumerate(advice["steps"], 1):
        yield f"{number}. {step}"
