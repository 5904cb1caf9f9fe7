"""Signing in: nobody gets in without, a link works once."""

from tests.browser.conftest import Browse


async def test_a_one_time_link_signs_in_once(browse: Browse) -> None:
    seen = browse("sign_in")
    assert seen["sent_to"] == "/sign-in"
    assert seen["heading"] == "Overview"
    assert seen["rows"] == 20
    assert "no longer works" in seen["refused"]
    assert seen["after"] == "/sign-in"
