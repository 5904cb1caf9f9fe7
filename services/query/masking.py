"""Names of objects before those who may not read them: in their own column, and in whatever text holds one. Pure.

A name in a text is found as it was told, letter by letter, also as `repr` or JSON writes it, and where a text was cut
or a secret taken out in the middle of it. What an agent writes otherwise (in capitals, abridged) is another text.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, overload

from schemas.redact import MARK, redact

LEAST: Final = 2
"""A shorter name hides nothing: its first letter is shown."""
_FEW: Final = 4
"""So many forms are looked for one by one; to make an index of them takes longer."""
HIDDEN: Final = "•"
"""What stands for each letter of a word but the first."""
Span = tuple[int, int]
_BEHIND_FIRST: Final = re.compile(r"(?<=\S)\S")
_MORE: Final = re.compile(r"… \[\d+ more\]\Z")
"""How the agent library ends a name that is too long."""
_GAP: Final = re.compile(r"\n?(?:… \[\d+ bytes cut\]|…|\.\.\.)\n?|" + re.escape(MARK))
"""Where something of a text is missing, and so perhaps the rest of a name."""
_GAP_HINTS: Final = ("…", "...", MARK)


@dataclass(frozen=True, slots=True)
class Names:
    """Names to be masked: `whole` as they were told, `forms` as a text may have them.

    `index` is for many of them: forms by their first two letters, and the pattern that finds where any may begin.
    """

    whole: tuple[str, ...]
    forms: tuple[str, ...]
    index: tuple[Mapping[str, Sequence[str]], re.Pattern[str]] | None = None


NO_NAMES: Final = Names((), ())


def mask(name: str | None) -> str | None:
    """Return a name with only the first letter of each word: R••••••• d••••."""
    return None if name is None else _BEHIND_FIRST.sub(HIDDEN, name)


def names_of(names: Iterable[str | None]) -> Names:
    """Return names as `mask_in` takes them."""
    whole = tuple(dict.fromkeys(_plain(name) for name in names if name and len(_plain(name)) >= LEAST))
    if not whole:
        return NO_NAMES
    forms = tuple(dict.fromkeys(form for name in whole for form in _forms(name)))
    return Names(whole, forms, None if len(forms) <= _FEW else _index(forms))


@overload
def mask_in(text: str, *names: Names, is_cut: bool = False) -> str: ...
@overload
def mask_in(text: None, *names: Names, is_cut: bool = False) -> None: ...
def mask_in(text: str | None, *names: Names, is_cut: bool = False) -> str | None:
    """Return a text with each of the names in it masked. `is_cut`: more stood behind its end."""
    if not text:
        return text
    spans = [span for each in names if each.whole for span in (*_found(text, each), *_cut(text, each, is_cut))]
    if not spans:
        return text
    shown, at = [], 0
    for start, end in _merged(spans):
        shown += [text[at:start], _BEHIND_FIRST.sub(HIDDEN, text[start:end])]
        at = end
    return "".join((*shown, text[at:]))


def mask_line(line: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return a line of a log as it was sent, with the names that it says it holds, and `names`, masked in its texts."""
    own = _names_of_line(tuple(line.get("names", ())))
    return {**line, "message": mask_in(line.get("message", ""), names, own),
            "exception": mask_in(line.get("exception"), names, own)}  # fmt: skip


@lru_cache(maxsize=1024)
def _names_of_line(names: tuple[str, ...]) -> Names:
    return names_of(names)  # many lines are about the same few objects


def _plain(name: str) -> str:
    return _MORE.sub("", name).strip()


def _forms(name: str) -> set[str]:
    written = {name, redact(name)} - {MARK}
    return {form for each in written for form in (each, *(text[1:-1] for text in _quoted(each)))}


def _quoted(text: str) -> tuple[str, ...]:
    return repr(text), json.dumps(text), json.dumps(text, ensure_ascii=False)


def _index(forms: Sequence[str]) -> tuple[Mapping[str, Sequence[str]], re.Pattern[str]]:
    by_start = defaultdict(list)
    for form in forms:
        by_start[form[:LEAST]].append(form)
    first, second = (_any_of({start[at] for start in by_start}) for at in range(LEAST))
    return by_start, re.compile(f"{first}(?={second})")


def _any_of(letters: set[str]) -> str:
    return f"[{''.join(map(re.escape, sorted(letters)))}]"


def _found(text: str, names: Names) -> Iterator[Span]:
    if names.index is not None:
        by_start, starts = names.index
        places = ((at, form) for at in map(re.Match.start, starts.finditer(text))
                  for form in by_start.get(text[at : at + LEAST], ()) if text.startswith(form, at))  # fmt: skip
    else:
        places = ((at, form) for form in names.forms for at in _places(text, form))
    for at, form in places:
        yield at, at + len(form)


def _places(text: str, form: str) -> Iterator[int]:
    at = text.find(form)
    while at >= 0:
        yield at
        at = text.find(form, at + 1)


def _cut(text: str, names: Names, is_cut: bool) -> Iterator[Span]:
    """Yield what is left of a name in front of a gap and behind one."""
    has_gaps = any(hint in text for hint in _GAP_HINTS)  # a tenth of the cost of looking for where
    gaps = [gap.span() for gap in _GAP.finditer(text)] if has_gaps else []
    for start, end in (*gaps, (len(text), len(text))) if is_cut else gaps:
        for name in names.whole:
            sizes = range(len(name), LEAST - 1, -1)
            if head := next((size for size in sizes if text.endswith(name[:size], 0, start)), 0):
                yield start - head, start
            if tail := next((size for size in sizes if text.startswith(name[-size:], end)), 0):
                yield end, end + tail


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans in order, those that overlap as one."""
    start = end = 0
    for begins, ends in sorted(spans):
        if begins > end:
            yield start, end
            start = begins
        end = max(end, ends)
    yield start, end
