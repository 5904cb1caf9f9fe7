"""Parts of the machine that some tests need. In CI a missing one fails; on a laptop its tests are skipped, and said."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Fail when CI=true, else skip: the end of the run counts it."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"{what} is missing, and CI must run every test", pytrace=False)
    pytest.skip(f"not run: {what} is missing")


def program(*names: str) -> Path:
    """Return the first of the programs `names` that is on the PATH."""
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    missing(names[0])
