"""The event contract: every example decodes, validates and round-trips; schemas agree with types and only ever grow."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from schemas import events
from schemas.documents import json_schema, kind_of, text_of
from schemas.kinds import KINDS, OutEvent
from schemas.topics import TOPICS, topic_of

SCHEMAS = Path(events.__file__).parent
EXAMPLES = sorted(SCHEMAS.glob("events/examples/*/v1/*.json"))
RELEASED = sorted(SCHEMAS.glob("released/*.schema.json"))
NODE_MODULES = Path(__file__).parents[1] / "browser" / "node_modules"
OUT = {"status", "command"}


def name(path: Path) -> str:
    return f"{path.parts[-3]}-{path.stem}" if path.parent.name == "v1" else path.name.removesuffix(".schema.json")


def schema_of(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / "events" / f"{kind}.v1.schema.json").read_text())
    return found


def decoded(path: Path) -> Any:
    read = events.decode_out if path.parts[-3] in OUT else events.decode
    return read(path.read_bytes())


def test_every_event_type_has_examples() -> None:
    assert {path.parts[-3] for path in EXAMPLES} == {kind_of(event_type) for event_type in KINDS.values()}


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_an_example_decodes_validates_and_round_trips(path: Path) -> None:
    event = decoded(path)
    validator = Draft202012Validator(schema_of(path.parts[-3]), format_checker=FormatChecker())
    validator.validate(json.loads(path.read_text()))
    sent = events.encode(event)
    validator.validate(json.loads(sent))
    assert (events.decode_out if isinstance(event, OutEvent) else events.decode)(sent) == event
    assert events.encode(event) == sent
    if not isinstance(event, OutEvent):
        events.check_strictly(path.read_bytes(), event)
        assert -(2**63) <= events.digest(event) < 2**63


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_an_example_says_nothing_twice_and_leaves_nothing_unread(path: Path) -> None:
    """What was written is what is read: no member of an example is unknown to the types."""

    def bare(value: Any) -> Any:
        return json.loads(re.sub(r"(\.\d*?)0*(Z|[+-]\d\d:\d\d)\"", r"\1\2" + '"', json.dumps(value)))

    written = json.loads(path.read_text())
    read = json.loads(events.encode(decoded(path)))

    def known(part: Any, whole: Any, where: str) -> Iterator[str]:
        if isinstance(part, dict):
            properties = {**(whole if isinstance(whole, dict) else {})}
            for member, value in part.items():
                if member not in properties and value not in (0, False, 1, "present", "schedule", "incremental"):
                    if not (member == "crm_system" and value == "salesforce"):
                        yield f"{where}/{member}"
                elif member in properties:
                    yield from known(value, properties[member], f"{where}/{member}")

    assert list(known(bare(written), bare(read), "")) == []


@pytest.mark.parametrize("event_type", KINDS.values(), ids=kind_of)
def test_the_schema_file_is_what_the_types_say(event_type: type[Any]) -> None:
    """`python -m schemas.documents` writes them."""
    path = SCHEMAS / "events" / f"{kind_of(event_type)}.v1.schema.json"
    assert path.read_text() == text_of(json_schema(event_type))
    Draft202012Validator.check_schema(json.loads(path.read_text()))


@pytest.mark.parametrize("path", RELEASED, ids=name)
def test_a_released_schema_is_only_ever_added_to(path: Path) -> None:
    released = json.loads(path.read_text())
    today = json.loads((SCHEMAS / "events" / path.name).read_text())
    assert list(breaks(released, today, released, today, "")) == []


def test_every_schema_of_today_is_released_or_new() -> None:
    assert {path.name for path in RELEASED} <= {path.name for path in SCHEMAS.glob("events/*.schema.json")}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda schema: schema["$defs"]["SessionData"]["properties"].pop("trigger"), "removed"),
        (lambda schema: schema["$defs"]["SessionData"]["required"].append("trigger"), "required"),
        (lambda schema: schema["$defs"]["SessionStatus"]["enum"].remove("errors"), "no longer allowed"),
        (lambda schema: schema["$defs"]["SessionData"]["properties"]["seq"].update(type="string"), "type"),
        (lambda schema: schema["$defs"]["Failure"]["properties"]["message"].update(maxLength=80), "maxLength"),
        (lambda schema: schema["$defs"]["SessionData"].update(additionalProperties=False), "unknown members"),
    ],
)
def test_the_evolution_check_sees_a_break(change: Any, complaint: str) -> None:
    released, today = schema_of("session"), schema_of("session")
    change(today)
    assert any(complaint in each for each in breaks(released, today, released, today, ""))


def breaks(old: Any, new: Any, old_root: Any, new_root: Any, where: str) -> Iterator[str]:
    """Name whatever an agent that obeys `old` may send and `new` would not take."""
    old, new = resolved(old, old_root), resolved(new, new_root)
    if "anyOf" in old or "anyOf" in new:
        old_ways, new_ways = old.get("anyOf", [old]), new.get("anyOf", [new])
        for way in old_ways:
            complaints = [list(breaks(way, other, old_root, new_root, where)) for other in new_ways]
            if all(complaints):
                yield from min(complaints, key=len)
        return
    if "type" in old and old.get("type") != new.get("type"):
        yield f"{where}: type {old['type']} became {new.get('type')}"
    for value in old.get("enum", []):
        if value not in new.get("enum", [value]):
            yield f"{where}: {value} is no longer allowed"
    if new.get("const", old.get("const")) != old.get("const"):
        yield f"{where}: const changed"
    for limit, worse in (("maxLength", -1), ("maximum", -1), ("exclusiveMaximum", -1), ("maxItems", -1),
                         ("minLength", 1), ("minimum", 1)):  # fmt: skip
        if limit in new and (limit not in old or (new[limit] - old[limit]) * worse > 0):
            yield f"{where}: {limit} is tighter"
    if new.get("additionalProperties", True) is False:
        yield f"{where}: unknown members are refused"
    yield from (
        f"{where}/{member}: newly required" for member in set(new.get("required", [])) - set(old.get("required", []))
    )
    for member, part in old.get("properties", {}).items():
        if member not in new.get("properties", {}):
            yield f"{where}/{member}: removed"
        else:
            yield from breaks(part, new["properties"][member], old_root, new_root, f"{where}/{member}")
    if "items" in old:
        yield from breaks(old["items"], new["items"], old_root, new_root, f"{where}/items")


def resolved(schema: Any, root: Any) -> Any:
    if "$ref" not in schema:
        return schema
    return root["$defs"][schema["$ref"].rpartition("/")[2]]


def test_the_asyncapi_document_is_valid_and_names_every_event(program: Any) -> None:
    node = program("node")
    if not (NODE_MODULES / "@asyncapi" / "parser").is_dir():
        from tests.rig import parts

        parts.missing("@asyncapi/parser")
    script = Path(__file__).with_name("validate_asyncapi.mjs")
    done = subprocess.run(
        [node, script, SCHEMAS / "asyncapi.yaml", NODE_MODULES], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    named = {line.removeprefix("message ") for line in done.stdout.splitlines() if line.startswith("message ")}
    assert named == {event_type.type for event_type in KINDS.values()}


def test_the_asyncapi_document_and_the_topics_agree() -> None:
    text = (SCHEMAS / "asyncapi.yaml").read_text()
    for topic in TOPICS:
        part = text.split(f"address: {topic.name}\n")[1].split("\n  ")[0:]
        block = "\n".join(part[: next((at for at, line in enumerate(part) if "bindings" in line), 0) + 2])
        assert f"partitions: {topic.partitions}" in block
        assert f"retention.ms: {topic.config['retention.ms']}" in block


def test_every_example_has_its_topic() -> None:
    for path in EXAMPLES:
        assert topic_of(decoded(path)) in TOPICS
