"""What surrounds every page: who reads it, in which zone and theme, how fresh it is, where else one can go."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from services.query.freshness import Freshness
from services.query.panel import words
from services.query.panel.fresh import Fresh, fresh
from services.query.panel.parts import Clock
from services.query.preferences import THEMES
from services.query.principal import Principal
from services.query.views import view
from services.query.views.filters import NotUnderstood, Problem
from services.query.views.view import BadQuery

ROLE_WORDS: Final[Mapping[str, str]] = {
    "platform_admin": "platform admin", "support": "support", "organization_admin": "organization admin",
    "end_user": "user",
}  # fmt: skip
ZONE_COOKIE: Final = "syncwatch_zone"
NAMED_ZONE_COOKIE: Final = "syncwatch_named_zone"
ZONES: Final = ("UTC", "America/Los_Angeles", "America/New_York", "Europe/London", "Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney")  # fmt: skip  # noqa: E501


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the main navigation; `key` is the letter after g."""

    word: str
    href: str
    key: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Everything `layout.html` needs besides the page's own content."""

    title: str
    here: str
    person: Principal
    email: str
    role_words: str
    initials: str
    zone: ZoneInfo
    zone_words: str
    zones: tuple[str, ...]
    now: datetime
    theme: str
    next_theme: str
    fresh: Fresh
    nav: tuple[Item, ...]
    home: str
    may_find: bool
    found: str
    csrf: str
    masked: bool
    reveal_until: datetime | None

    @property
    def clock(self) -> Clock:
        """Return in which zone, and as of when, the page is read."""
        behind_at = self.fresh.as_of if self.fresh.tone else None
        return Clock(self.zone, self.now, self.fresh.counted_to or self.now, behind_at)

    @property
    def names_left_s(self) -> int:
        """Return for how many seconds names are still shown to whom they are masked otherwise; 0: they are not."""
        left = (self.reveal_until - self.now).total_seconds() if self.reveal_until else 0
        return max(0, int(left))

    @property
    def names_words(self) -> str:
        """Return the words on names of objects: masked, or shown until when; empty for whom they are never masked."""
        if self.masked:
            return "Names are masked"
        if self.reveal_until and self.names_left_s:
            until = words.minute(self.reveal_until, self.zone)
            return f"Names shown to you until {until}, recorded in the audit trail"
        return ""


def frame(request: Request, principal: Principal, freshness: Freshness, *, title: str, section: str, now: datetime,
          secret: bytes) -> Frame:  # fmt: skip
    """Return the frame of one page for the person who asks for it."""
    zone = zone_of(request, principal)
    theme = str(principal.preferences.get("theme") or "system")
    at = THEMES.index(theme) if theme in THEMES else 0
    mine = own_page(principal)
    return Frame(
        title=title, here=here(request), person=principal, email=principal.actor,
        role_words=ROLE_WORDS[principal.role], initials=words.initials(principal.name or principal.actor), zone=zone,
        zone_words=words.zone_words(zone, now), zones=_zones(request, zone), now=now, theme=THEMES[at],
        next_theme=THEMES[(at + 1) % len(THEMES)], fresh=fresh(freshness, zone, now),
        nav=navigation(principal, section),
        home=mine or "/", may_find=mine is None, found=request.query_params.get("q", ""), csrf=principal.csrf(secret),
        masked=principal.masks_names(now), reveal_until=principal.reveal_until,
    )  # fmt: skip


def own_page(principal: Principal) -> str | None:
    """Return the one page of an end user; None for everybody else."""
    if principal.role != "end_user":
        return None
    return f"/users/{principal.organization_id}/{principal.user_id}"


def navigation(principal: Principal, section: str = "") -> tuple[Item, ...]:
    """Return where one can go from every page; that of the `section` is marked."""
    mine = own_page(principal)
    if mine:
        return (Item("User Dashboard", mine, "u", True),)
    listed = (
        ("Overview", "/", "v"), ("Organizations", "/organizations", "o"), ("Users", "/users", "u"),
        ("Sessions", "/sessions", "s"), ("Issues", "/issues", "i"),
    )  # fmt: skip
    return tuple(Item(word, href, key, word == section) for word, href, key in listed)


def here(request: Request) -> str:
    """Return the page's own address without its zone and place: where to come back to after a choice."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in {"tz", "cursor"}]
    return request.url.path + (f"?{urlencode(kept)}" if kept else "")


def zone_of(request: Request, principal: Principal | None) -> ZoneInfo:
    """Return the zone of a page: the address names it, else the person chose it, else the browser told it, else UTC."""
    chosen = principal.preferences.get("zone") if principal else None
    named = (request.query_params.get("tz"), chosen, browser_zone(request))
    return next((zone for zone in map(known_zone, named) if zone), ZoneInfo("UTC"))


def browser_zone(request: Request) -> str | None:
    """Return the zone that the page's script left in a cookie; where none runs, the one last named by an address."""
    told = request.cookies.get(ZONE_COOKIE) or request.cookies.get(NAMED_ZONE_COOKIE)
    return unquote(told) if told else None


def keep_zone(request: Request, answer: Response) -> None:
    """Keep the zone that an address names where no script runs: without one, links do not carry it."""
    key = request.query_params.get("tz")
    if key and ZONE_COOKIE not in request.cookies and known_zone(key):
        answer.set_cookie(NAMED_ZONE_COOKIE, quote(key, safe=""), path="/", samesite="lax")


def known_zone(key: Any) -> ZoneInfo | None:
    """Return a zone by its IANA key, None for what is none."""
    try:
        return view.zone_of(key) if isinstance(key, str) and key else None
    except NotUnderstood:
        return None


def check_zone(request: Request) -> None:
    """Raise BadQuery where the address names a zone that there is none of: its times would be read in another one."""
    problems: list[Problem] = []
    for text in request.query_params.getlist("tz"):
        view.zone_asked(text, problems)
    if problems:
        raise BadQuery(problems)


def _zones(request: Request, zone: ZoneInfo) -> tuple[str, ...]:
    own = browser_zone(request)
    first = [key for key in (own, zone.key) if key and known_zone(key)]
    return tuple(dict.fromkeys((*first, *ZONES)))
