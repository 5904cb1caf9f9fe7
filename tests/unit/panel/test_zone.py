"""In which zone a page is read, with and without a script that tells the browser's."""

import pytest
from starlette.requests import Request
from starlette.responses import Response

from services.query.panel.frame import keep_zone, zone_of


def request(query: str = "", cookies: str = "") -> Request:
    headers = [(b"cookie", cookies.encode())] if cookies else []
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": headers})


def kept(asked: Request) -> str:
    """Return the cookie that an answer leaves, without its attributes."""
    answer = Response()
    keep_zone(asked, answer)
    return answer.headers.get("set-cookie", "").partition(";")[0]


def test_without_a_script_links_lead_to_pages_in_the_zone_that_was_named_last() -> None:
    cookie = kept(request("tz=Europe/Berlin"))
    assert zone_of(request(cookies=cookie), None).key == "Europe/Berlin"
    assert zone_of(request(cookies=kept(request("tz=Asia/Tokyo", cookie))), None).key == "Asia/Tokyo"


def test_the_zone_that_a_script_told_stands() -> None:
    told = "syncwatch_zone=Asia%2FKolkata"
    assert kept(request("tz=Europe/Berlin", told)) == ""
    assert zone_of(request(cookies=f"{told}; syncwatch_named_zone=Europe%2FBerlin"), None).key == "Asia/Kolkata"


@pytest.mark.parametrize("query", ["", "tz=", "tz=Nowhere/Else", "tz=%0D%0Ax"])
def test_what_is_no_zone_is_not_kept(query: str) -> None:
    assert kept(request(query)) == ""
