"""Named queries: `schemas/sql/<area>.sql` holds statements under `-- name: xyz`; the comments below a name explain.

`/* xyz */` in a statement stands for what is named so in the same file: a text that several statements have in common.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType


def named_queries(area: str) -> Mapping[str, str]:
    """Return name -> statement of one file. Raises KeyError for `/* xyz */` where nothing is named so."""
    text = files(__name__).joinpath(f"{area}.sql").read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- name: *(\w+) *$", text, flags=re.MULTILINE)
    statements = dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))

    def common(found: re.Match[str]) -> str:
        return re.sub(r"^--.*\n", "", statements[found[1]], flags=re.MULTILINE).rstrip(";")

    return MappingProxyType({name: re.sub(r"/\* (\w+) \*/", common, each) for name, each in statements.items()})
