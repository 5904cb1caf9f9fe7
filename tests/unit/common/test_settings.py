from dataclasses import dataclass
from pathlib import Path

import pytest

from services.common.settings import BadSettings, read, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    database_url: str = setting("where Postgres is", secret=True)
    batch_seconds: float = setting("longest wait", parse=float, default=0.2)
    batch_rows: int = setting("rows worth a transaction", parse=int, default=4000)


def test_the_services_own_variable_wins_over_the_shared_one() -> None:
    settings = read(Example, {"DATABASE_URL": "shared", "AGGREGATOR_DATABASE_URL": "own"}, prefix="aggregator")
    assert settings.database_url == "own"
    assert settings.batch_seconds == 0.2


def test_a_value_may_come_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://x\n")
    settings = read(Example, {"DATABASE_URL_FILE": str(tmp_path / "url")}, prefix="aggregator")
    assert settings.database_url == "postgresql://x"


def test_every_problem_is_told_at_once_and_no_secret_is_shown() -> None:
    environ = {"BATCH_SECONDS": "soon", "AGGREGATOR_BATCH_ROWS": "many"}
    with pytest.raises(BadSettings) as caught:
        read(Example, environ, prefix="aggregator")
    assert len(caught.value.problems) == 3
    assert caught.value.problems[0] == "DATABASE_URL is not set: where Postgres is"
    assert "BATCH_SECONDS: 'soon'" in caught.value.problems[1]
    assert "AGGREGATOR_BATCH_ROWS" in caught.value.problems[2]
    assert "hidden" not in repr(Example(database_url="hidden"))


def test_a_file_that_is_not_there_is_a_problem_and_no_traceback() -> None:
    with pytest.raises(BadSettings, match="DATABASE_URL_FILE names a file that cannot be read"):
        read(Example, {"DATABASE_URL_FILE": "/nowhere/at/all"}, prefix="")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read(Example, {"DATABASE_URL": "x", "BATCH_SECONDS": ""}, prefix="").batch_seconds == 0.2
