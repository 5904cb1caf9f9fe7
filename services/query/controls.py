"""What a terminal would obey: control characters of a text are written out. Pure."""

from __future__ import annotations

import re
from typing import Final

# C0, C1, line ends of Unicode, and what turns the direction of a text: behind one a line reads as something else.
_CONTROL: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\N{ARABIC LETTER MARK}\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}"
    "\N{LINE SEPARATOR}-\N{RIGHT-TO-LEFT OVERRIDE}\N{LEFT-TO-RIGHT ISOLATE}-\N{POP DIRECTIONAL ISOLATE}]"
)


def written_out(text: str, keep: str = "") -> str:
    """Return a text with its control characters as `\\x1b` or `\\u202e`, but for those to `keep`."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)
