import errno
import shutil
import stat
from collections import namedtuple
from pathlib import Path

import pytest

from deploy.local.folder import VERSION, opened, state_folder
from deploy.local.refusals import BadInput, CannotRun, from_os

Usage = namedtuple("Usage", "total used free")


def test_a_folder_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "version").write_text(f"{VERSION + 1}\n")
    with pytest.raises(CannotRun, match="written by a newer version"), opened(tmp_path):
        pass
    assert (tmp_path / "version").read_text() == f"{VERSION + 1}\n"


def test_a_folder_that_another_launcher_holds_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(BadInput, match="already runs from"), opened(tmp_path):
        pass
    with opened(tmp_path):
        pass


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 10**12, 1024))
    with pytest.raises(CannotRun, match="The disk of .* is full: 0 MB are free"), opened(tmp_path):
        pass


def test_a_disk_that_fills_up_later_is_told_in_one_sentence() -> None:
    refusal = from_os(OSError(errno.ENOSPC, "No space left on device", "/state/x"))
    assert str(refusal).startswith("The disk is full at /state/x")
    assert refusal.code == 3


def test_a_secret_stays_the_same_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    with opened(tmp_path) as folder:
        first, other = folder.secret("writer"), folder.secret("reader")
        assert first != other
    with opened(tmp_path) as folder:
        assert folder.secret("writer") == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_the_state_folder_is_the_named_one_or_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert state_folder({"STATE_DIR": "/a b"}) == Path("/a b")
    assert state_folder({"XDG_STATE_HOME": "/x"}) == Path("/x/syncwatch")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert state_folder({}) == Path("/var/lib/syncwatch")
