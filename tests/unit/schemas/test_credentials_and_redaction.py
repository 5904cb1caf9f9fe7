"""Tokens are random, checkable and stored as a hash; secrets leave every text and nothing else does."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.credentials import KEY_PREFIX, TOKEN_PREFIX, hash_of, new_key, new_token
from schemas.redact import MARK, redact


def test_s8_a_token_is_known_by_its_hash_alone() -> None:
    text, stored = new_token()
    assert text.startswith("swa_")
    assert len(text) == 53
    assert hash_of(text, TOKEN_PREFIX) == stored == hashlib.sha256(text.encode()).digest()
    assert hash_of(text, KEY_PREFIX) is None
    assert new_token()[0] != text
    assert new_key()[0].startswith("swk_")


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda token: token[:-1],
        lambda token: token + "0",
        lambda token: token[:10] + ("a" if token[10] != "a" else "b") + token[11:],
        lambda token: token.upper(),
        lambda token: "",
        lambda token: token + "\n",
    ],
)
def test_s8_a_mistyped_token_is_told_without_asking_anybody(spoilt: object) -> None:
    text, _ = new_token()
    assert hash_of(spoilt(text), TOKEN_PREFIX) is None  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("refresh_token=1//0gAAA&client_secret=GOCSPX-BBB", ["AAA", "BBB"]),
        ("Authorization: Bearer eyJCCC", ["CCC"]),
        ("GET https://u:DDD@dav.example.org/ failed", ["DDD"]),
        ('{"refresh_token": "AAA", "user": "ann@example.org"}', ["AAA"]),
        ('body: "{\\"client_secret\\":\\"BBB\\"}"', ["BBB"]),
        ("{'password': 'DDD'}", ["DDD"]),
        ('"password": "DDD', ["DDD"]),
        ("Cookie: sid=AAA; other=BBB\nnext line", ["AAA", "BBB"]),
        ("-----BEGIN RSA PRIVATE KEY-----\nAAA\n-----END RSA PRIVATE KEY-----", ["AAA"]),
        ("token%3DAAA", ["AAA"]),
        ("the token was swa_SijXL1JURwwbbeIw6r35a4t9FOpowia6GYMNgkuDJD42sSFcY", []),
    ],
)
def test_c33_secrets_are_taken_out_and_marked(text: str, secrets: list[str]) -> None:
    redacted = redact(text)
    assert redacted.count(MARK) >= max(1, len(secrets) - 1)
    assert not any(secret in redacted for secret in secrets)
    assert "swa_" not in redacted
    assert redact(redacted) == redacted


NAMES = (
    "token access_token refresh_token id_token auth_token session_token bearer_token security_token csrf_token"
    " api_token accessToken refresh-token client_secret clientSecret password app_password user_password db_password"
    " passwd pwd passphrase secret apikey api_key x-api-key private_key privateKey client_assertion assertion sig"
    " signature aws_secret_access_key secretAccessKey sessionid session_key"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_c33_no_name_of_a_secret_is_missed_in_any_case(name: str) -> None:
    # The last three are letters that match s, k and i where case does not matter.
    odd = [name.replace(*letters) for letters in ("s\u017f", "k\u212a", "i\u0131")]
    for written in (name, name.upper(), name.title(), *odd):
        assert redact(f"{written}=AAA and more") == f"{written}={MARK} and more"
    assert redact("s\u0130g=AAA") == f"s\u0130g={MARK}"


@pytest.mark.parametrize(
    "text",
    [
        "The refresh token has expired due to inactivity", "basic authentication failed", "token: invalid",
        "password expired for ann@example.org", "https://dav.example.org:8443/a@b", "design=5, signal: 9",
        "session_id=0b9d7f1e-3c58-4a6e-9a41-57c2d1e8f902", "primary key: 7", "keyboard=qwerty",
    ],
)  # fmt: skip
def test_c33_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_c33_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
