from pathlib import Path

import pytest

from deploy.local import java
from deploy.local.refusals import CannotRun


def pretend(folder: Path, version: str) -> Path:
    """Make a program that tells a version as java does."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    return program


def test_java_home_wins_when_it_is_new_enough(tmp_path: Path) -> None:
    program = pretend(tmp_path / "a java", "21.0.4")
    assert java.find(str(tmp_path / "a java")) == program


def test_an_old_java_home_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = pretend(tmp_path / "new", "17.0.1")
    pretend(tmp_path / "old", "11.0.2")
    monkeypatch.setenv("PATH", str(newer.parent))
    monkeypatch.setattr(java, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", f"{newer.parent}:/usr/bin:/bin")
    assert java.find(str(tmp_path / "old")) == newer


def test_no_java_is_one_sentence_that_says_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path / "old", "1.8.0_292")
    monkeypatch.setattr(java, "_bundled", lambda: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(CannotRun, match=r"No Java 17 or newer was found \(.*is version 1\)"):
        java.find(str(tmp_path / "old"))
