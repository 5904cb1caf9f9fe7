from hashlib import sha256
from pathlib import Path

import pytest

from deploy.local.jars import Jar, ensure, locked, of_folder
from deploy.local.refusals import BadInput, CannotRun

GOOD = b"the jar that the lock means"
JAR = Jar("org.example", "thing", "1.0", sha256(GOOD).hexdigest())


class Source:
    """Hands out what it is told to, one answer for each fetch."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)

    def __call__(self, jar: Jar, folder: Path) -> Path:
        (folder / "fetched").write_bytes(self.answers.pop(0))
        return folder / "fetched"


def test_the_lock_names_the_45_jars_of_kafka_and_no_address() -> None:
    jars = locked()
    assert len(jars) == 45
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert {jar.version for jar in jars if jar.artifact in {"kafka_2.13", "kafka-clients"}} == {"4.4.0"}


def test_a_jar_that_is_there_and_right_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / JAR.file_name).write_bytes(GOOD)
    assert ensure(tmp_path, Source(), [JAR]) == [tmp_path / "thing-1.0.jar"]


def test_a_wrong_jar_is_thrown_away_and_fetched_once_more(tmp_path: Path) -> None:
    source = Source(b"half a j", GOOD)
    (path,) = ensure(tmp_path, source, [JAR], say=lambda _: None)
    assert path.read_bytes() == GOOD
    assert source.answers == []


def test_a_jar_that_is_wrong_twice_is_refused_and_never_kept(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match=r"thing-1\.0\.jar came twice with another sha256"):
        ensure(tmp_path, Source(b"evil", b"evil"), [JAR], say=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_jar_that_was_changed_in_the_cache_is_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / JAR.file_name).write_bytes(b"changed on disk")
    (path,) = ensure(tmp_path, Source(GOOD), [JAR], say=lambda _: None)
    assert path.read_bytes() == GOOD


def test_no_network_is_one_sentence_that_offers_a_way_out(tmp_path: Path) -> None:
    def fetch(jar: Jar, folder: Path) -> Path:
        raise ConnectionError("no route to host")

    with pytest.raises(CannotRun) as caught:
        ensure(tmp_path, fetch, [JAR], say=lambda _: None)
    assert "KAFKA_BOOTSTRAP" in str(caught.value)
    assert "KAFKA_JARS" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_broker_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kafka-clients-4.4.0.jar").touch()
    with pytest.raises(BadInput, match="KAFKA_JARS"):
        of_folder(tmp_path)
    (tmp_path / "kafka_2.13-4.4.0.jar").touch()
    assert len(of_folder(tmp_path)) == 2
