"""The page's modules keep the types that their comments promise."""

import subprocess
from pathlib import Path

from tests.browser.conftest import HERE, ROOT


def test_the_modules_type_check(node: Path) -> None:
    command = [str(node), str(HERE / "node_modules/typescript/bin/tsc"), "-p", str(ROOT / "services/query/panel")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == ""
    assert done.returncode == 0
