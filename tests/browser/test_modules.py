"""The page's modules keep the types that their comments promise."""

import json
import subprocess
from pathlib import Path

from tests.browser.conftest import HERE, ROOT
from tests.corpus.formulas import CASES


def test_the_modules_type_check(node: Path) -> None:
    command = [str(node), str(HERE / "node_modules/typescript/bin/tsc"), "-p", str(ROOT / "services/query/panel")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=6000, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


def test_c19_what_a_page_saves_is_guarded_as_in_a_file(node: Path) -> None:
    module = (ROOT / "services/query/panel/static/js/formulas.js").read_text()
    program = f"{module}console.log(JSON.stringify(JSON.parse(process.argv[1]).map(guarded)));"
    command = [str(node), "--input-type=module", "--eval", program, json.dumps(list(CASES))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    assert json.loads(done.stdout) == list(CASES.values())
