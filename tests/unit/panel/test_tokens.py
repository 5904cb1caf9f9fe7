"""Colour by role: text reads on every ground it is used on, fills and borders can be told from the surface."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

CSS: Final = Path(__file__).parents[3] / "services/query/panel/static/css"
TOKENS: Final = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", (CSS / "tokens.css").read_text()
    )
}
GROUNDS: Final = ("canvas", "surface", "sunken", "raised", "hover", "selected")
TEXTS: Final = ("text", "text-2", "text-3", "accent", "ok", "warn", "bad", "time", "mute")
ON_OWN_TINT: Final = ("ok", "warn", "bad", "time", "mute", "accent")
FILLS: Final = ("ok-fill", "warn-fill", "bad-fill", "time-fill", "mute-fill", "control", "accent-solid", "accent")


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb, as WCAG defines it."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_reads_on_every_ground(theme: int) -> None:
    weak = {
        (text, ground): round(contrast(TOKENS[text][theme], TOKENS[ground][theme]), 2)
        for text in TEXTS
        for ground in GROUNDS
        if contrast(TOKENS[text][theme], TOKENS[ground][theme]) < 4.5
    }
    assert weak == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_a_status_reads_on_its_own_tint(theme: int) -> None:
    weak = {
        role: round(contrast(TOKENS[role][theme], TOKENS[f"{role}-tint"][theme]), 2)
        for role in ON_OWN_TINT
        if contrast(TOKENS[role][theme], TOKENS[f"{role}-tint"][theme]) < 4.5
    }
    assert weak == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_fills_and_borders_stand_out_from_the_surface(theme: int) -> None:
    weak = {
        fill: round(contrast(TOKENS[fill][theme], TOKENS["surface"][theme]), 2)
        for fill in FILLS
        if contrast(TOKENS[fill][theme], TOKENS["surface"][theme]) < 3
    }
    assert weak == {}


def test_no_colour_is_named_outside_the_tokens() -> None:
    for sheet in CSS.glob("*.css"):
        if sheet.name != "tokens.css":
            assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)|rgba?\(", sheet.read_text()) == [], sheet.name


def test_no_template_styles_or_scripts_inline() -> None:
    for template in (CSS.parents[1] / "templates").glob("*.html"):
        text = template.read_text()
        assert " style=" not in text, template.name
        assert not re.search(r"<style|\son[a-z]+=|javascript:|hx-on|<script(?![^>]*src=)", text), template.name
