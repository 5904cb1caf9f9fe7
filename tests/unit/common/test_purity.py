"""What a module says of itself is what `./run check` holds it to."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
CONTRACT = "pure modules do no I/O"


def says_pure(path: Path) -> bool:
    return re.search(r"\bPure\b", ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "") is not None


def test_every_module_that_calls_itself_pure_is_held_to_it() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [held] = [contract["source_modules"] for contract in contracts if contract["name"] == CONTRACT]
    paths = [path for path in (ROOT / "services").rglob("*.py") if says_pure(path)]  # all of schemas is held to it
    said = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths}
    assert len(said) > 30
    assert [name for name in sorted(said) if not any(f"{name}.".startswith(f"{each}.") for each in held)] == []
    assert held == sorted(held)
