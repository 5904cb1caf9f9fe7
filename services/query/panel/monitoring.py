"""The Monitoring page: the agents that report, and how far each partition is applied. What silence is measured by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.query.nouns import times
from services.query.panel import words
from services.query.panel.facts import Pair
from services.query.panel.frame import Frame, frame
from services.query.panel.render import html
from services.query.panel.rows import asked, organization_path
from services.query.panel.table import Tab
from services.query.parameters import Parameters
from services.query.principal import Principal
from services.query.services import Services
from services.query.silence import is_behind, is_still, monitoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent as its row shows it; `late` are those of its users that are late."""

    name: str
    users_href: str
    organization: str
    organization_href: str
    version: str
    heard_at: datetime
    silent: bool
    late: int
    late_href: str
    running: int | None
    queued: int | None
    clock: str


@dataclass(frozen=True, slots=True)
class Part:
    """One partition as its row shows it. `tone`: the status whose icon and colour its state has."""

    topic: str
    number: int
    applied_to: datetime | None
    behind: str
    state: str
    tone: str


async def show(services: Services, request: Request, principal: Principal) -> Response:
    """Answer with the Monitoring page: agents, partitions and the line above them are of one moment."""
    parameters = Parameters(request)
    only_silent = parameters.choice("agents", ("silent",)) == "silent"
    parameters.zone()
    parameters.done()
    found = await monitoring(services, principal)
    page = frame(
        request, principal, found.freshness, title="Monitoring", section="", now=services.now(), secret=services.secret
    )
    every = [agent(row, page) for row in found.agents]
    silent = [each for each in every if each.silent]
    tabs = (
        Tab("all", "all", words.number(len(every)), not only_silent, asked("/monitoring", tz=page.zone.key)),
        Tab("silent", "silent", words.number(len(silent)), only_silent,
            asked("/monitoring", agents="silent", tz=page.zone.key)),
    )  # fmt: skip
    values = {
        "agents": silent if only_silent else every, "tabs": tabs, "facts_": heading(found.stopped, page),
        "parts": [part(row, page) for row in found.partitions],
    }  # fmt: skip
    return HTMLResponse(html("monitoring.html", page=page, **values))


def heading(whose: Mapping[str, int] | None, page: Frame) -> list[Pair]:
    """Return the facts under the title; whose data stands still, where some does and it could be counted in time."""
    lag = words.NONE if page.fresh.lag_s is None else words.rough(page.fresh.lag_s)
    pairs = [Pair("As of", at=page.fresh.as_of), Pair("Behind", lag)]
    if whose and whose["users"]:
        counts = times(whose["users"], "user"), times(whose["organizations"], "organization")
        pairs.append(Pair("Stopped", " of ".join(counts)))
    return pairs


def agent(row: Mapping[str, Any], page: Frame) -> Agent:
    """Return an agent's row; the links show its users, and those that are late."""
    exact, zone = f"eq:{row['agent_id']}", page.zone.key
    error = row["clock_error_s"]
    return Agent(
        name=row["agent_id"], users_href=asked("/users", agent=exact, tz=zone),
        organization=row["organization"] or (str(row["organization_id"]) if row["organization_id"] else ""),
        organization_href=organization_path(row["organization_id"]) if row["organization_id"] else "",
        version=row["version"] or words.NONE, heard_at=row["heard_at"], silent=row["silent"], late=row["late"],
        late_href=asked("/users", status="late", agent=exact, tz=zone), running=row["sessions_running"],
        queued=row["queued"], clock=words.NONE if error is None else f"{error:+.1f} s".replace("-", "−"),
    )  # fmt: skip


def part(row: Mapping[str, Any], page: Frame) -> Part:
    """Return a partition's row: applied up to when, how far that is behind, whether it stopped or nobody reads it."""
    applied = row["applied_to"]
    behind = words.NONE if applied is None else words.rough(max(0.0, (page.now - applied).total_seconds()))
    if row["halted"]:
        return Part(row["topic"], row["partition"], applied, behind, f"stopped: {row['halted']}", "down")
    if is_still(row, page.now):
        return Part(row["topic"], row["partition"], applied, behind, "nobody reads it", "down")
    state, tone = ("behind", "degraded") if is_behind(row, page.now) else ("applied", "ok")
    return Part(row["topic"], row["partition"], applied, behind, state, tone)
