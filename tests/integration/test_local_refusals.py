"""What `./run` says when it cannot start: one sentence, exit code 2 or 3, never a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.folder import VERSION


def up(state: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher with a state folder of its own and return what became of it."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PORT", "DATABASE_URL", "KAFKA_JARS"}}
    return subprocess.run(
        [sys.executable, "-P", "-m", "deploy.local", "up", *arguments],
        env=kept | {"STATE_DIR": str(state)} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def sentence(told: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of the refusal."""
    assert "Traceback" not in told.stdout + told.stderr
    (line,) = told.stderr.splitlines()
    return line


def test_a_port_that_the_user_named_and_that_is_taken_is_exit_code_2(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        told = up(tmp_path / "a state", PORT=port)
    assert told.returncode == 2
    assert f"PORT={port} cannot be used" in sentence(told)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PORT", "eighty"), ("PORT", "70000"), ("DATABASE_URL", "mysql://x/y"), ("KAFKA_JARS", "/nowhere")],
)
def test_a_variable_that_cannot_be_read_is_exit_code_2_and_named(tmp_path: Path, variable: str, value: str) -> None:
    told = up(tmp_path, **{variable: value})
    assert told.returncode == 2
    assert variable in sentence(told)


def test_a_state_folder_of_a_newer_version_is_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "version").write_text(f"{VERSION + 1}\n")
    told = up(tmp_path)
    assert told.returncode == 3
    assert "newer version of Syncwatch" in sentence(told)


def test_a_state_folder_that_is_no_folder_is_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = up(tmp_path / "file" / "state")
    assert told.returncode == 3
    assert str(tmp_path / "file") in sentence(told)


def test_a_postgres_that_does_not_answer_is_exit_code_3_without_its_password(tmp_path: Path) -> None:
    told = up(tmp_path, DATABASE_URL="postgresql://me:hidden@127.0.0.1:1/x", KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert told.returncode == 3
    assert "answers at" in sentence(told)
    assert "hidden" not in told.stdout + told.stderr


def test_asking_for_no_session_is_exit_code_2(tmp_path: Path) -> None:
    told = up(tmp_path, "--once", "0")
    assert told.returncode == 2
    assert "at least one session" in told.stderr
