"""How old a page is, in words: behind, standing still, stopped, and what that means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from services.query.freshness import Freshness
from services.query.panel.fresh import Fresh, fresh

NOW = datetime(2026, 11, 24, 14, 2, 31, tzinfo=UTC)


def told(lag_s: float = 0.8, deaf_s: float | None = 0.5, still_s: float = 0.9, halted: tuple[str, ...] = ()) -> Fresh:
    """Return what is said of data that is so old."""
    as_of = NOW - timedelta(seconds=lag_s)
    return fresh(Freshness(as_of, lag_s, halted, deaf_s, still_s, as_of), ZoneInfo("Europe/Berlin"), NOW)


def said(**changes: object) -> list[str]:
    return [f"{banner.title} {banner.text}" for banner in told(**changes).banners]  # type: ignore[arg-type]


def test_up_to_ten_seconds_behind_nothing_is_said_and_up_to_a_minute_no_banner_shows() -> None:
    assert (told(lag_s=9.9).tone, said(lag_s=9.9)) == ("", [])
    assert (told(lag_s=59).tone, said(lag_s=59)) == ("behind", [])
    assert said(lag_s=240) == [
        "Monitoring is 4 min behind: nobody is called late meanwhile. What you see is the state at 14:58:31."
    ]


def test_where_nothing_is_applied_any_more_it_says_since_when_and_what_may_be_down() -> None:
    assert said(lag_s=271, deaf_s=270, still_s=270) == [
        "Monitoring stands still. Nothing is applied since 14:58:01: workers, Kafka or gateway are down. "
        "Nobody is called late meanwhile."
    ]
    assert told(lag_s=271, deaf_s=270).tone == "behind"
    assert said(deaf_s=None)[0].startswith("Monitoring has not begun.")


def test_where_some_partitions_stand_still_and_others_go_on_a_worker_is_down() -> None:
    (banner,) = said(lag_s=45, still_s=44)
    assert banner.endswith(
        "data is not applied since 15:01:47: a worker is down or hangs. None of them is called late."
    )
    assert said(lag_s=45, still_s=29) == []


def test_where_some_partitions_were_never_read_a_worker_is_missing() -> None:
    (banner,) = fresh(Freshness(None, None, (), 1.0, 1.0, None), ZoneInfo("UTC"), NOW).banners
    assert (banner.title, banner.stopped) == ("Part of the monitoring has not begun.", False)
    assert "is a worker down?" in banner.text


def test_what_has_stopped_is_told_by_its_share_of_users_and_names_no_partition() -> None:
    (events,) = said(halted=("syncwatch.events/3", "syncwatch.events/7"))
    assert events.endswith("What is reported of 2/12 of the users is not applied; all else goes on.")
    assert told(halted=("syncwatch.events/3",)).tone == "stopped"
    assert told(halted=("blue.syncwatch.events/3",)).tone == "stopped"
    assert said(halted=("syncwatch.logs/3",))[0].endswith("1/12 of the users' logs is not applied; all else goes on.")
