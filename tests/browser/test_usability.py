"""What a page owes to everybody, in a real browser: accessibility, keyboard, tips, widths, a phone, weight."""

from __future__ import annotations

import re
from itertools import product

from schemas import vocabulary
from schemas.columns import LISTS, Type
from tests.browser.addresses import NORTHWIND, STATISTICS, USERS, pages_of
from tests.browser.conftest import Browse, Site


def _short(path: str) -> str:
    """Return the path with a page of few rows: axe-core looks at every cell."""
    is_list = path.rpartition("/")[2] in {"organizations", "users", "sessions", "issues", "statistics"}
    return f"{path}?limit=8" if is_list else path


async def test_axe_finds_nothing_in_either_theme(browse: Browse, site: Site) -> None:
    paths = [_short(path) for path in (await pages_of(site)).values()]
    end_user = site.people["end_user"]
    mine = f"/users/{NORTHWIND}/{end_user['user_id']}"
    others = {
        "sign-in": {"cookie": "", "path": "/sign-in"},
        "a link": {"cookie": "", "path": f"/sign-in/{end_user['token']}"},
        "a link used up": {"cookie": "", "path": "/sign-in?problem=expired"},
        **{f"own{tab}": {"cookie": end_user["cookie"], "path": mine + tab} for tab in ("", "/issues", "/logs")},
    }
    seen = browse("axe", paths=paths, statistics=f"{STATISTICS}&limit=8", others=others)
    assert {page: found for page, found in seen["found"].items() if found} == {}
    assert len(seen["found"]) == 2 * (len(paths) + 5 + len(others))


async def test_a_phone_shows_everything_without_scrolling_sideways(browse: Browse, site: Site) -> None:
    pages = {name: _short(path) for name, path in (await pages_of(site)).items()}
    phone = [pages[name] for name in ("organizations", "user's issues", "overview")]
    seen = browse("narrow", paths=[*pages.values()], phone=phone)
    assert seen["found"] == {}
    assert {page: rules for page, rules in seen["rules"].items() if rules} == {}
    shared = {
        "boxes": False, "labels": True, "inside": True, "chips": 1, "clean": True, "kept": ">=10", "cleared": 0,
        "sorted": ["-users", "descending"], "explicit": True,
    }  # fmt: skip
    assert seen["sheet"] == {"script": shared | {"rules": [], "closed": True}, "plain": shared}
    at_ease = {"within": True, "cut": False, "named": "Syncwatch"}
    assert [at for at, told in seen["bar"].items() if told != at_ease] == [], (
        "logo, search, freshness, menu on one line"
    )
    assert len(seen["bar"]) == 4
    assert seen["small"] == []


async def test_counts_on_a_phone_have_the_word_that_fits_them(browse: Browse, site: Site) -> None:
    block = "/sessions?status=errors&limit=20"
    rows = [(await pages_of(site))["user"], f"{STATISTICS}&limit=20", block]
    paths = ["/issues", "/sessions?failures=1&status=", "/organizations"]
    seen = browse("units", paths=paths, block=block, rows=rows)
    for path, told in seen["lines"].items():
        assert set(told) == {True}, f"{path}: counts stand below name and status"
    for path, texts in seen["read"].items():
        one = {text.partition(" ")[2] for text in texts if text.startswith("1 ")}
        more = {text.partition(" ")[2] for text in texts if not text.startswith("1 ")}
        assert not one & more - {"late", "failing"}, path
    assert {"1 time", "2 times"} <= set(seen["read"]["/issues"])
    assert "1 failure" in seen["read"]["/sessions?failures=1&status="]
    assert [text.partition(" ")[2] for text in seen["total"].values()] == ["issues", "sessions", "organizations"]
    assert len(seen["block"]) == 20
    assert all(row["status"] < 8 and row["beside"] for row in seen["block"]), (
        "beside the name, and beside what is pressed"
    )
    assert seen["alone"] == 0, "a dash without a title says nothing"
    assert (seen["wide"][0].endswith(" issues"), seen["wide"][1]) == (True, 1), "heard where there is no room for it"
    assert "1 row a page" in " ".join(seen["foot"].split())


async def test_job_details_on_a_phone_keep_their_way_out_and_whole_numbers(browse: Browse) -> None:
    seen = browse(
        "phone_job", role="organization_admin", path="/sessions?status=finished_with_issues&issues=>=1&tz=UTC"
    )
    assert 0 <= seen["top"] < 150
    assert seen["bottom"] == 844
    assert seen["lines"] == [1]
    assert seen["narrow"] >= 100
    assert seen["said"] >= 250, "else an error text is a row of many lines"
    assert seen["rows"] >= 36
    assert seen["zones"] == ["Asia/Tokyo", "UTC"]


async def test_job_details_at_a_desk_show_their_issues_whole_and_fill_a_narrow_window(browse: Browse) -> None:
    path = "/sessions?status=finished_with_issues&issues=>=1&tz=UTC"
    directions = [
        vocabulary.direction_words(*each)
        for each in product(vocabulary.DIRECTION, vocabulary.MAIL_SYSTEM, vocabulary.CRM_SYSTEM)
    ]
    longest = {0: max(vocabulary.OBJECT_TYPE.values(), key=len), 2: max(directions, key=len)}
    seen = browse("desk_job", role="organization_admin", path=path, longest=longest)["seen"]
    assert {width: (told["left"], told["width"]) for width, told in seen.items()} == {
        "1440": (560, 880), "1025": (145, 880), "1024": (0, 1024), "900": (0, 900),
    }  # fmt: skip
    assert [(width, told["over"], told["cut"]) for width, told in seen.items() if told["over"] > 0 or told["cut"]] == []
    assert all(min(told["named"]) >= 180 for told in seen.values()), "name and error text have what is left"


async def test_the_words_of_the_source_and_figures_are_whole_at_1440_pixels(browse: Browse, site: Site) -> None:
    user = (await pages_of(site))["user"]
    paths = {
        "users": "/users?tz=UTC", "organization_users": USERS, "statistics": STATISTICS, "sessions": "/sessions?tz=UTC",
        "issues": "/issues?tz=UTC", "user_sessions": f"{user}?tz=UTC", "user_issues": f"{user}/issues?state=&tz=UTC",
        "organization_issues": f"/organizations/{NORTHWIND}/issues?tz=UTC",
    }  # fmt: skip
    titles = ["Error Category", "Error Code", "Error Source", "Status", "Session status"]
    seen = browse("widths", paths=paths, titles=titles)
    assert {name: words for name, words in seen["cut"].items() if words} == {}
    assert all(re.fullmatch(r"[A-Z][A-Za-z-]+ [\d,]+(, …)?", line) for line, _ in seen["report"])
    assert all(whole for _, whole in seen["report"]), "a cut one keeps its number"
    assert len(seen["report"]) > 50
    assert {where: cut for where, cut in seen["runs"].items() if cut} == {}


async def test_a_compact_list_has_one_line_a_row_with_the_date_of_its_run(browse: Browse, site: Site) -> None:
    own = (await pages_of(site))["user"]
    paths = {"statistics": f"{STATISTICS}&limit=50", "sessions": "/sessions?limit=50&tz=UTC", "user": f"{own}?tz=UTC"}
    told = browse("density", paths=paths)["told"]
    for name in paths:
        assert (told[name]["compact"], told[name]["roomy"]) == ([32], [44]), name
        for shown in told[name]["ends"]:
            assert re.search(r"\d\d:\d\d:\d\d \+00:00 – (now$|.*\d\d:\d\d:\d\d.*, \d)", shown), "when a run ended"
        assert [run for run in told[name]["runs"] if run[1] or not re.match(r"\d+ [A-Z][a-z]{2}[ ,]", run[0])] == [], (
            name
        )


def _texts(name: str) -> dict[str, list[str]]:
    """Return every text that our vocabulary makes for each default column of a list, by title."""
    texts = {
        column.title: list(column.words.values())
        for column in LISTS[name].shown
        if column.words and column.type not in {Type.STRIP, Type.REPORT, Type.DIRECTION}
    }
    if LISTS[name].column("direction") in LISTS[name].shown:
        systems = product(vocabulary.DIRECTION, vocabulary.MAIL_SYSTEM, vocabulary.CRM_SYSTEM)
        texts["Direction"] = [vocabulary.direction_words(*each) for each in systems]
    return texts


async def _paths_of_lists(site: Site) -> dict[str, str]:
    """Return the page of every list, with sessions and issues in every state."""
    user = (await pages_of(site))["user"]
    return {
        "organizations": "/organizations", "users": "/users", "organization_users": USERS, "statistics": STATISTICS,
        "sessions": "/sessions?status=", "user_sessions": user, "issues": "/issues?state=",
        "organization_issues": f"/organizations/{NORTHWIND}/issues?state=", "user_issues": f"{user}/issues?state=",
    }  # fmt: skip


async def test_no_word_of_ours_breaks_in_the_middle_at_1440_pixels(browse: Browse, site: Site) -> None:
    paths = await _paths_of_lists(site)
    lists = {name: {"path": paths[name], "texts": _texts(name)} for name in LISTS}
    seen = browse("words", lists=lists)
    assert {name: words for name, words in seen["broken"].items() if words} == {}
    assert {name: over for name, over in seen["wide"].items() if over > 0} == {}
    tried = {name: {title: len(texts) for title, texts in each["texts"].items()} for name, each in lists.items()}
    assert seen["tried"] == tried


async def test_the_value_of_a_narrow_box_can_be_read_and_cleared_at_1440_pixels(browse: Browse, site: Site) -> None:
    paths = await _paths_of_lists(site)
    numbers = {name: [column.name for column in LISTS[name].shown if column.type is Type.NUMBER] for name in LISTS}
    set_boxes = {
        f"{name} {value}": f"{path}{'&' if '?' in path else '?'}{'&'.join(f'{each}={value}' for each in numbers[name])}"
        for name, path in paths.items()
        for value in ("0..", "abc")
    }
    seen = browse("boxes", paths=set_boxes)["seen"]
    for page, boxes in seen.items():
        assert set(numbers[page.split()[0]]) <= {name for name, *_ in boxes}, page
        narrow = [box for box in boxes if box[1] > 0 or box[2] < 20 or box[3] < 24]
        assert narrow == [], f"{page}: name, how far × is out, room of the text, size of ×"


async def test_a_status_in_its_box_is_read_whole_at_1440_pixels(browse: Browse) -> None:
    asked = {f"/users?session_status=errors&status={word}": 2 for word in (*vocabulary.USER_STATUS, "broken")}
    asked |= {f"{STATISTICS}&status=errors": 1, "/organizations?health=degraded&users=>=10": 2}
    seen = browse("boxes", paths={path: path for path in asked})["seen"]
    assert {path: len(boxes) for path, boxes in seen.items()} == asked
    assert [(path, box) for path, boxes in seen.items() for box in boxes if box[2] < box[4]] == []


async def test_a_box_offers_its_presets_beside_one_with_a_long_text(browse: Browse) -> None:
    seen = browse("next_box", path=f"{STATISTICS}&status=&objects=>=120712071207", left="objects", next="run")
    assert seen["longer"]
    assert seen["offered"] > 0


async def test_on_paper_a_page_is_light_and_whole_and_has_nothing_to_press(browse: Browse, site: Site) -> None:
    job = (await pages_of(site))["job"]
    paths = {"list": f"{STATISTICS}&status=errors", "users": "/users", "overview": "/", "job": job, "log": f"{job}/log"}
    of_one = f"/organizations/{NORTHWIND}"
    lists = ["/users", "/organizations", "/sessions", "/issues", of_one, f"{STATISTICS}&status=", f"{of_one}/issues"]
    seen = browse("print", paths=paths, lists=lists)
    assert seen.pop("lies"), "a page of a list is wider than high"
    assert {path: told for path, told in seen.pop("across").items() if told != [0, []]} == {}
    assert seen.pop("dialog") == {"main": 0, "text": True, "cut": False}
    for name, told in seen.items():
        assert max(map(int, re.findall(r"\d+", told["ground"])[:3])) > 230, name
        assert (told["fresh"], told["hidden"], told["pressed"]) == (1, 0, []), name


async def test_a_page_weighs_less_than_150_kilobytes(browse: Browse, site: Site) -> None:
    pages = await pages_of(site)
    heaviest = ("overview", "statistics", "users", "user's issues", "job", "log")
    seen = browse("weight", paths=[*(pages[name] for name in heaviest), "/?hours=168"])
    assert {page: weight for page, weight in seen["weights"].items() if weight > 150_000} == {}


async def test_what_is_cut_or_off_or_needs_words_says_so_to_everybody(browse: Browse) -> None:
    seen = browse("tips", path=f"{STATISTICS}&limit=20", users=USERS)
    assert seen["objects"] == [1, 1], "two columns of one title are told apart without the icon"
    columns = {name: LISTS[at].column(name) for at, name in (("statistics", "changes"), ("users", "last_20"))}
    assert seen["explained"] == {name: column and column.description for name, column in columns.items()}
    assert seen["off"] == {"first": "This is the first page", "touched": "There is nothing to export"}
    assert seen["closed"] == 0
    assert seen["without_script"] == "This is the first page"


async def test_a_shortened_name_is_shown_whole_to_mouse_and_keyboard(browse: Browse) -> None:
    seen = browse("names", path="/sessions?limit=20&tz=UTC&organization=Northwind")
    assert seen["organization"] == "Northwind Traders"
    assert seen["person"] == "\n".join(seen["lines"])


async def test_no_sticky_part_covers_what_has_the_focus(browse: Browse) -> None:
    seen = browse("covered", path=STATISTICS)
    assert seen["seen"] == {"row": 0, "cell": 0, "first": 0, "actions": 0}
    assert seen["still"] == [0, 310]


async def test_what_is_pressed_has_24_pixels_at_1440_pixels(browse: Browse, site: Site) -> None:
    pages = await pages_of(site)
    names = ("overview", "organizations", "organization", "users", "user", "sessions", "issues", "job", "monitoring")
    seen = browse("targets", paths=[*(_short(pages[name]) for name in names), pages["log"], f"{STATISTICS}&limit=8"])
    assert {path: small for path, small in seen["small"].items() if small} == {}


async def test_the_keyboard_is_enough(browse: Browse, site: Site) -> None:
    seen = browse("keys", path=STATISTICS, job=(await pages_of(site))["job"])
    assert seen["find"] == "find"
    assert seen["first_box"] == "box-user"
    assert seen["second_row"] == 1
    assert seen["outlined"] == "2px"
    assert (seen["menu"], seen["help"]) == (1, 1)
    assert seen["in_menu"] == ["Find a column", "Menu: columns"]
    assert (seen["gone_to"], seen["skip"]) == ("/organizations", "skip")
    name, category, exception = seen["cells"]["shown"]
    assert seen["cells"]["head"].startswith(name)
    assert seen["cells"]["category"] == category
    assert seen["cells"]["exception"].startswith(exception)
    here, before, again = seen["standing"]
    assert before != here == again
    assert seen["lines"] == ["line-1", "line-2", "line-3", "line-2"]
    assert seen["message"][0] == seen["message"][1]
    assert seen["archive"].endswith(".zip")
    assert (seen["behind_dialog"], seen["switched_off"]) == ("", ""), "single letters act only where they may"
    assert seen["switched_on"].startswith("#line-")
