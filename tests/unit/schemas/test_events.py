"""The decoder: what it takes, what it refuses and where, what it mends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import events, guards
from schemas.events import (
    REASONS,
    Direction,
    Operation,
    Refused,
    SessionData,
    SessionStatus,
    check_strictly,
    decode,
    digest,
    encode,
    issue_identity,
    make,
)
from schemas.kinds import KINDS, short_type
from tests.corpus.poison import Poison, corpus, session, text

NOW = datetime(2026, 11, 12, 3, 10, 0, 123456, tzinfo=UTC)
ORGANIZATION = uuid4()
CORPUS = corpus(ORGANIZATION, NOW)


@pytest.mark.parametrize("event_type", KINDS.values())
def test_an_event_type_has_one_short_name_in_every_version(event_type: Any) -> None:
    name = event_type.type.split(".")[1]
    assert [short_type(f"syncwatch.{name}.v{version}") for version in (1, 2, 10)] == [name] * 3


def refusal(value: bytes | None) -> Refused | None:
    try:
        decode(value)
    except Refused as refused:
        return refused
    return None


@pytest.mark.parametrize("poison", CORPUS, ids=lambda poison: poison.name)
def test_p6_each_kind_has_its_outcome(poison: Poison) -> None:
    refused = refusal(poison.value)
    assert (refused and refused.reason) == poison.kafka
    if refused:
        assert refused.reason in REASONS
        assert poison.pointer in (None, refused.pointer)


def test_the_sources_that_are_remembered_are_bounded_and_all_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_MOST_SOURCES", 4)
    for number in range(20):
        good = session(ORGANIZATION, NOW) | {"source": f"/agents/agent-{number}"}
        assert decode(text(good)).agent_id == f"agent-{number}"
        for _ in range(2):
            refused = refusal(text(good | {"source": f"/agents/a/{number}"}))
            assert refused is not None
            assert (refused.reason, refused.pointer) == ("bad_source", "/source")
    assert len(events._SOURCES) <= 4


@pytest.mark.parametrize("poison", [each for each in CORPUS if each.value and each.kafka is None and each.http != 202])
def test_p6_the_gateway_looks_closer(poison: Poison) -> None:
    assert poison.value is not None
    with pytest.raises(Refused) as refused:
        check_strictly(poison.value, decode(poison.value))
    assert poison.pointer in (None, refused.value.pointer)


@pytest.mark.parametrize("poison", [each for each in CORPUS if each.kafka], ids=lambda poison: poison.name)
def test_s18_a_refusal_repeats_no_text_of_the_event(poison: Poison) -> None:
    with pytest.raises(Refused) as refused:
        decode(poison.value)
    said = f"{refused.value.pointer} {refused.value.detail}"
    assert not any(secret in said for secret in ("Budget", "ann@", "Ann Lee", "ajar", "galaxy", "yesterday"))


@given(st.binary(max_size=300))
def test_any_bytes_are_an_event_or_refused(value: bytes) -> None:
    refused = refusal(value)
    assert refused is None or refused.reason in REASONS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(session(ORGANIZATION, NOW)["data"])), JSON)
def test_any_value_of_any_member_is_taken_or_refused_there(member: str, sent: Any) -> None:
    event = session(ORGANIZATION, NOW)
    event["data"][member] = sent
    value = json.dumps(event).encode()
    refused = refusal(value)
    if refused:
        assert refused.pointer.startswith(f"/data/{member}")
    else:
        assert decode(encode(decode(value))) == decode(value)


def test_c13_digits_past_microseconds_are_cut_and_zones_agree() -> None:
    written = ("2026-11-12T03:10:00.123456789Z", "2026-11-12T03:10:00.123456Z", "2026-11-12T04:10:00.123456+01:00")
    read = [decode(text(session(ORGANIZATION, NOW, started_at=at))).data.started_at for at in written]
    assert read == [NOW] * 3
    assert {at.tzinfo for at in read} == {UTC}
    late = decode(text(session(ORGANIZATION, NOW, started_at="2026-11-12T23:59:59.9999999Z")))
    assert late.data.started_at == datetime(2026, 11, 12, 23, 59, 59, 999999, tzinfo=UTC)


def test_c13_only_times_are_cut() -> None:
    words = 'at "time": "12:00:00.123456789" and \\"at\\":\\"10:00:00.9999999\\"'
    event = session(ORGANIZATION, NOW, status_detail=words, durations={"mail_s": 1.123456789})
    read = decode(text(event))
    assert read.data.status_detail == words
    assert read.data.durations.mail_s == 1.123456789


def test_c05_half_an_emoji_is_replaced_and_whole_ones_stay() -> None:
    value = text(session(ORGANIZATION, NOW, status_detail="MARK"))
    for sent, read in (
        (rb"\ud83d", "\ufffd"), (rb"\ude00", "\ufffd"), (rb"\ud83d\ude00", "😀"), (rb"\ud83d\ud83d\ude00", "\ufffd😀"),
        (rb"\\ud83d", "\\ud83d"), (rb"\\\ud83d!", "\\\ufffd!"), (rb"\uD83D\n", "\ufffd\n"),
    ):  # fmt: skip
        assert decode(value.replace(b"MARK", sent)).data.status_detail == read


@given(st.text(), st.text())
def test_c05_mending_touches_nothing_that_is_whole(left: str, right: str) -> None:
    value = json.dumps([left.encode(errors="replace").decode(), right.encode(errors="replace").decode()]).encode()
    assert guards.mend_escapes(value)[0] == value


def test_c02_what_nobody_asked_for_is_ignored() -> None:
    event = session(ORGANIZATION, NOW)
    plain = decode(text(event))
    odd = decode(text(event | {"meta": {"a": [1]}, "traceparent": None, "my-Extension": "x"}))
    assert odd == plain
    assert digest(odd) == digest(plain)


def test_the_digest_tells_contents_apart_and_forgets_how_they_were_written() -> None:
    event = session(ORGANIZATION, NOW)
    value = text(event)
    assert digest(decode(value)) == digest(decode(json.dumps(event, indent=3).encode()))
    event["data"]["status"] = "errors"
    assert digest(decode(text(event))) != digest(decode(value))


@pytest.mark.parametrize("depth", [30, 31, 32, 33, 500, 100_000])
def test_depth_is_counted_without_recursion(depth: int) -> None:
    inside = b"[" * depth + b"]" * depth
    assert guards.is_too_deep(inside) is (depth > 32)
    wide = b"[" + b'{"a":"}}{{[["},' * 300 + b"{}]"
    assert guards.is_too_deep(wide) is False


def told(**members: Any) -> SessionData:
    base = {
        "organization_id": uuid4(), "user_id": uuid4(), "session_id": uuid4(), "started_at": NOW, "seq": 1,
        "status": SessionStatus.FINISHED,
    }  # fmt: skip
    return SessionData(**(base | members))


def test_c11_the_same_trouble_keeps_one_id() -> None:
    organization, user = UUID(int=1), UUID(int=2)
    about: dict[str, Any] = {
        "object_type": "email", "object_id": "A1", "object_name": "Re: offer", "direction": Direction.MAIL_TO_CRM,
        "operation": Operation.CREATE,
    }  # fmt: skip
    first = issue_identity(organization, user, **about)
    assert first == issue_identity(organization, user, **about | {"object_name": "renamed"})
    others = [
        issue_identity(organization, UUID(int=3), **about),
        issue_identity(UUID(int=3), user, **about),
        issue_identity(organization, user, **about | {"operation": Operation.UPDATE}),
        issue_identity(organization, user, **about | {"direction": Direction.CRM_TO_MAIL}),
        issue_identity(organization, user, **about | {"object_type": "task"}),
        issue_identity(organization, user, **about | {"object_id": None}),
        issue_identity(organization, user, **about | {"object_id": None, "object_name": "A1"}),
    ]
    assert len({first, *others}) == 8


def test_make_names_the_subject() -> None:
    data = told()
    event = make(data, id="1", agent_id="a", time=NOW)
    assert event.subject == f"organizations/{data.organization_id}/users/{data.user_id}"
    assert (event.agent_id, event.type) == ("a", "syncwatch.session.v1")
    check_strictly(encode(event), decode(encode(event)))
