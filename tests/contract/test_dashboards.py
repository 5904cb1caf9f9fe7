"""The dashboards: drawn anew they are the same, and any Grafana can load them."""

import json
from collections import Counter
from typing import Any, Final

import pytest
import yaml

from deploy.grafana.boards import Board
from deploy.grafana.generate import BOARDS, FOLDER, draw

IDS: Final = [board.uid for board in BOARDS]


def panels(board: Board) -> list[dict[str, Any]]:
    page = json.loads((FOLDER / f"{board.uid}.json").read_text())
    return [panel for panel in page["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("board", BOARDS, ids=IDS)
def test_drawing_again_makes_no_difference(board: Board) -> None:
    assert (FOLDER / f"{board.uid}.json").read_text() == draw(board)


def test_every_file_is_a_board_and_uids_are_unique() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(IDS)
    assert len(set(IDS)) == len(IDS)


@pytest.mark.parametrize("board", BOARDS, ids=IDS)
def test_every_panel_says_what_it_shows_in_which_unit_and_asks_the_chosen_source(board: Board) -> None:
    for panel in panels(board):
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["expr"]
            assert target["legendFormat"]
            assert "datasource" not in target


@pytest.mark.parametrize("board", BOARDS, ids=IDS)
def test_panels_have_ids_and_places_of_their_own(board: Board) -> None:
    page = json.loads((FOLDER / f"{board.uid}.json").read_text())
    assert max(Counter(panel["id"] for panel in page["panels"]).values()) == 1
    taken: set[tuple[int, int]] = set()
    for panel in page["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_provisioning_finds_the_dashboards_and_fixes_no_uid() -> None:
    folder = FOLDER.parent / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    assert "uid" not in source
    (provider,) = yaml.safe_load((folder / "dashboards" / "syncwatch.yml").read_text())["providers"]
    assert provider["options"]["path"] == "${SYNCWATCH_DASHBOARDS}"
