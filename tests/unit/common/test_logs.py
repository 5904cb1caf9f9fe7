import json
import logging
import sys

import pytest

from services.common.logs import JsonLines, set_up


def test_a_record_is_one_json_line_with_its_extras() -> None:
    record = logging.makeLogRecord({"msg": "saved %d", "args": (3,), "name": "store", "action": "batch_saved"})
    line = json.loads(JsonLines("aggregator").format(record))
    assert (line["message"], line["action"], line["service"]) == ("saved 3", "batch_saved", "aggregator")
    assert line["at"].endswith("+00:00")


def test_an_exception_is_a_member_and_breaks_no_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})
    text = JsonLines("query").format(record)
    assert "\n" not in text
    assert "ValueError: two" in json.loads(text)["exception"]


def test_c33_no_secret_comes_into_our_own_logs() -> None:
    said = "refresh_token=1//0gAAA&client_secret=GOCSPX-BBB Authorization: Bearer eyJCCC https://u:DDD@dav.example.org/"
    try:
        raise ValueError(said)
    except ValueError as error:
        record = logging.makeLogRecord(
            {"msg": "answered %s", "args": (said,), "exc_info": sys.exc_info(), "error": repr(error)}
        )
    text = JsonLines("query").format(record)
    assert not any(secret in text for secret in ("AAA", "BBB", "CCC", "DDD"))
    assert "dav.example.org" in json.loads(text)["message"]


def test_what_json_does_not_know_is_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    try:
        set_up("gateway", "warning")
        logging.getLogger("x").info("quiet")
        logging.getLogger("x").warning("loud", extra={"action": "seen", "value": {1: object}})
    finally:
        logging.captureWarnings(False)
        root.handlers[:], root.level = before
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["loud"]
