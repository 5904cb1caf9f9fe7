"""What the page of a session makes of what is found."""

from typing import Any

from services.query.panel.job import sides


def found(duration_s: float | None, **spent: float) -> dict[str, Any]:
    durations = {"mail_s": 0.0, "crm_s": 0.0, "engine_s": 0.0} | spent
    return {"durations": durations, "mail_system": "caldav", "crm_system": None, "duration_s": duration_s}


def test_times_by_side_come_to_the_whole_of_a_session() -> None:
    told = sides(found(0.175, mail_s=0.073, engine_s=0.004))
    assert told is not None
    assert [(name, words) for name, words, _ in told["parts"]] == [
        ("CalDAV", "73 ms"), ("engine", "4 ms"), ("the rest", "98 ms"),
    ]  # fmt: skip
    widths = {piece.fill: piece.width for piece in told["bar"]}
    assert widths["rest"] > widths["accent"] > widths["mute"]


def test_nothing_is_left_over_where_the_sides_come_to_the_whole_or_no_end_is_known() -> None:
    for duration_s in (4.0, 4.05, None):
        told = sides(found(duration_s, mail_s=3.0, crm_s=1.0))
        assert told is not None
        assert [name for name, _, _ in told["parts"]] == ["CalDAV", "CRM"]
    assert sides(found(4.0)) is None
