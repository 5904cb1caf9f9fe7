"""An exception is readable at a glance: what happened comes first, then where, and no folder of the machine."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.ingest.agent import texts
from services.ingest.agent.traces import file_of, trace_of


class ThrottledException(Exception):
    pass


def _call() -> None:
    raise ThrottledException("ErrorServerBusy: Back off 252000 ms.")


def caught(function: Any, *arguments: Any) -> BaseException:
    try:
        function(*arguments)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_what_happened_comes_first_and_the_innermost_call_last() -> None:
    lines = trace_of(caught(_call)).splitlines()
    assert lines[0] == "ThrottledException: ErrorServerBusy: Back off 252000 ms."
    assert 'ingest/test_traces.py", line ' in lines[-2]
    assert lines[-2].endswith(", in _call")
    assert lines[-1] == '    raise ThrottledException("ErrorServerBusy: Back off 252000 ms.")'


def test_c33_a_trace_names_files_from_their_package_on_and_no_folder_of_the_machine() -> None:
    trace = trace_of(caught(json.loads, "{"))
    assert '  File "json/decoder.py", line ' in trace
    for folder in (Path(json.__file__).parents[1], Path(__file__).parents[3], Path.home()):
        assert f"{folder}/" not in trace


@pytest.mark.parametrize(
    ("path", "module", "told"),
    [
        ("/home/ann/lib/services/ingest/http.py", "services.ingest.http", "services/ingest/http.py"),
        ("/home/ann/lib/services/ingest/__init__.py", "services.ingest", "services/ingest/__init__.py"),
        ("C:\\Users\\ann\\sync\\mail\\ews.py", "sync.mail.ews", "sync/mail/ews.py"),
        ("/home/ann/agent.py", "__main__", "agent.py"),
        ("/home/ann/plugins/x.py", "something.else", "x.py"),
        ("/home/ann/x.py", None, "x.py"),
        ("<string>", "__main__", "<string>"),
        ("<frozen importlib._bootstrap>", "importlib._bootstrap", "<frozen importlib._bootstrap>"),
    ],
)
def test_a_file_is_told_from_its_package_on(path: str, module: str | None, told: str) -> None:
    assert file_of(path, {"__name__": module}) == told


def test_a_module_run_as_the_program_is_known_by_its_true_name() -> None:
    module = {"__name__": "__main__", "__spec__": SimpleNamespace(name="agents.mail.__main__")}
    assert file_of("/home/ann/agents/mail/__main__.py", module) == "agents/mail/__main__.py"


def test_causes_follow_and_a_circle_of_them_ends() -> None:
    first, second = KeyError("mailbox"), RuntimeError("no\nmailbox")
    second.__cause__, first.__context__ = first, second
    second.add_note("while listing")
    assert trace_of(second) == "RuntimeError: no\nmailbox\nwhile listing\nCaused by KeyError: 'mailbox'"
    assert trace_of(first).splitlines()[1] == "While handling RuntimeError: no"
    first.__suppress_context__ = True
    assert trace_of(first) == "KeyError: 'mailbox'"


async def test_of_a_group_each_is_told() -> None:
    async def fail(name: str) -> None:
        raise ValueError(name)

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("one"))
            group.create_task(fail("two"))

    with pytest.raises(ExceptionGroup) as info:
        await both()
    lines = trace_of(info.value).splitlines()
    assert lines[0] == "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)"
    assert [line for line in lines if " of 2: " in line] == ["  1 of 2: ValueError: one", "  2 of 2: ValueError: two"]


def test_an_exception_that_cannot_speak_is_told_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise TypeError

    assert trace_of(Mute()) == "Mute: its message cannot be made"
    assert trace_of(TimeoutError()) == "TimeoutError"


def test_a_runaway_recursion_is_told_once() -> None:
    def again() -> None:
        again()

    assert "Previous line repeated" in trace_of(caught(again))


def test_c07_a_trace_that_is_too_long_keeps_what_it_says_and_where_it_ended() -> None:
    trace = "Type: message\n" + "  at com.example.Sync\n" * 10_000 + "  innermost 😀\n"
    cut = texts.exception(trace)
    assert len(cut.encode()) <= 65_536
    assert cut.startswith("Type: message\n")
    assert cut.endswith("  innermost 😀\n")
    head, _, rest = cut.partition("\n… [")
    missing, _, tail = rest.partition(" bytes cut]\n")
    assert len((head + tail).encode()) + int(missing) == len(trace.encode())
