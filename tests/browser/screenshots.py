"""Pictures of the main pages on real data: `python -m tests.browser.screenshots SIGN_IN_LINK [FOLDER]`.

SIGN_IN_LINK is the one-time link that `./run` (or `syncwatch accounts link`) prints; FOLDER is docs/screenshots.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

HERE: Final = Path(__file__).parent
FOLDER: Final = HERE.parent.parent / "docs" / "screenshots"


def main(arguments: list[str]) -> int:
    """Take the pictures; return the exit code of the script that does."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    link = urlsplit(arguments[0])
    folder = Path(arguments[1]).resolve() if len(arguments) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "BASE": f"{link.scheme}://{link.netloc}",
        "CHROMIUM": os.environ.get("CHROMIUM", "/usr/bin/chromium"),
        "COOKIE": os.environ.get("COOKIE", ""),
        "GIVEN": json.dumps({"link": link.path, "folder": str(folder)}),
    }
    return subprocess.run(["node", "run.mjs", "screenshots"], cwd=HERE, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
