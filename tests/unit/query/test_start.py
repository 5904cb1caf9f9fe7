"""Starting with settings that cannot be used: one line per problem, exit code 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.query.__main__ import main


def test_missing_settings_are_all_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("READER_DATABASE_URL", "READER_ALL_DATABASE_URL", "PANEL_DATABASE_URL", "SECRET_KEY", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line.split()[0] for line in lines] == [
        "READER_DATABASE_URL", "READER_ALL_DATABASE_URL", "PANEL_DATABASE_URL", "SECRET_KEY",
    ]  # fmt: skip


def test_plain_http_beyond_this_machine_ends_it() -> None:
    urls = dict.fromkeys(
        ("READER_DATABASE_URL", "READER_ALL_DATABASE_URL", "PANEL_DATABASE_URL"), "postgres://nobody@127.0.0.1:1/x"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "services.query"], env=urls | {"SECRET_KEY": "x", "PANEL_URL": "http://sync.example"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "sign-in needs https" in ended.stderr
    assert "Traceback" not in ended.stderr
