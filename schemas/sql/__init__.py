"""Named queries: `schemas/sql/<area>.sql` holds statements under `-- name: xyz`; the comments below a name explain."""

import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType


def named_queries(area: str) -> Mapping[str, str]:
    """Return name -> statement of one file."""
    text = files(__name__).joinpath(f"{area}.sql").read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- name: *(\w+) *$", text, flags=re.MULTILINE)
    return MappingProxyType(dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True)))
