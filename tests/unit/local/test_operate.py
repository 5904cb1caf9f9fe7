import json
from pathlib import Path

import pytest

from deploy.local.operate import environment
from deploy.local.refusals import BadInput
from deploy.local.settings import Settings

PORTS = {"postgres": 15432, "kafka": 19092, "panel": 18080}


def test_the_operators_commands_find_what_was_started(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text(json.dumps(PORTS))
    (tmp_path / "secrets.json").write_text(json.dumps({"postgres": "hidden"}))
    own = environment(Settings(), tmp_path)
    assert own == {
        "DATABASE_URL": "postgresql://postgres:hidden@127.0.0.1:15432/syncwatch",
        "KAFKA_BOOTSTRAP": "127.0.0.1:19092", "TOPIC_PREFIX": "", "PANEL_URL": "http://127.0.0.1:18080",
    }  # fmt: skip
    lent = Settings(database_url="postgresql://me:x@db:5432/own", kafka_bootstrap="broker:9092", port=8090)
    assert list(environment(lent, tmp_path).values()) == [lent.database_url, "broker:9092", "", "http://127.0.0.1:8090"]


def test_where_nothing_was_started_the_operators_commands_say_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"Nothing was started from .* yet: type \./run first"):
        environment(Settings(), tmp_path)
    assert list(tmp_path.iterdir()) == []
