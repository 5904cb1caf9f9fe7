"""The file half of the API: a CSV of every list, zips of logs, and the record of each export."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.sql import named_queries
from services.query.api.routes import told, view_of
from services.query.api.table import EVERYBODY, LIST_ROUTES, STAFF, ListRoute
from services.query.audit import Audit, write
from services.query.exports.csv_file import csv_download
from services.query.exports.zips import Archive, zip_download
from services.query.parameters import Parameters
from services.query.principal import Principal
from services.query.problems import NotFound
from services.query.scope import address_of, scope_of
from services.query.services import Services
from services.query.views.filters import Problem
from services.query.views.view import BadQuery

LAST_OF_USER: Final = timedelta(days=7)
LAST_OF_ORGANIZATION: Final = timedelta(days=1)
"""How far back an archive of logs goes that is asked for without a range."""
_SQL: Final = named_queries("exports")


def routes(services: Services) -> list[Route]:
    """Return the routes of files under /api/v1."""
    return [*(_csv(services, each) for each in LIST_ROUTES), *_zips(services), *_records(services)]


def _csv(services: Services, each: ListRoute) -> Route:
    async def answer(request: Request) -> Response:
        principal: Principal = request.state.principal
        principal.may(*each.roles)
        return csv_download(services, principal, view_of(services, request, principal, each.list_name, csv=True))

    return Route(f"{each.path}.csv", answer, methods=["GET"])


def _zips(services: Services) -> list[Route]:
    async def of_session(request: Request) -> Response:
        principal: Principal = request.state.principal
        principal.may(*EVERYBODY)
        Parameters(request).done()
        return zip_download(services, principal, Archive(session=address_of(request.path_params["key"])))

    async def of_user(request: Request) -> Response:
        principal: Principal = request.state.principal
        principal.may(*EVERYBODY)
        organization, user = request.path_params["organization"], request.path_params["user"]
        return zip_download(services, principal, _archive(services, request, organization, user, LAST_OF_USER))

    async def of_organization(request: Request) -> Response:
        principal: Principal = request.state.principal
        principal.may(*STAFF)
        organization = request.path_params["organization"]
        return zip_download(services, principal, _archive(services, request, organization, None, LAST_OF_ORGANIZATION))

    return [
        Route("/sessions/{key}/logs.zip", of_session, methods=["GET"]),
        Route("/users/{organization:uuid}/{user:uuid}/logs.zip", of_user, methods=["GET"]),
        Route("/organizations/{organization:uuid}/logs.zip", of_organization, methods=["GET"]),
    ]


def _archive(
    services: Services, request: Request, organization_id: UUID, user_id: UUID | None, usual: timedelta
) -> Archive:
    """Return the archive that a range of times names: from `usual` ago until now where it names none."""
    parameters = Parameters(request)
    now, zone = services.now(), parameters.zone()
    until = parameters.instant("to", zone, now) or now
    since = parameters.instant("from", zone, now) or until - usual
    parameters.done()
    scope_of(request.state.principal, organization_id, user_id)
    if since >= until:
        raise BadQuery([Problem("from", str(since), "is not before the end of the range")])
    return Archive(organization_id, user_id, since, until)


def _records(services: Services) -> list[Route]:
    async def find(request: Request, principal: Principal) -> Any:
        async with services.administering() as connection:
            row = await connection.fetchrow(_SQL["find"], request.path_params["id"])
        if row is None or not _sees(principal, row):
            raise NotFound
        return row

    async def show(request: Request) -> Response:
        Parameters(request).done()
        row = await find(request, request.state.principal)
        digest = row["sha256"]
        body = {**row, "complete": row["state"] == "complete", "sha256": digest.hex() if digest else None}
        return told(body)

    async def stop(request: Request) -> Response:
        principal: Principal = request.state.principal
        row = await find(request, principal)
        async with services.administering() as connection:
            if await connection.fetchval(_SQL["cancel"], row["export_id"]):
                after = {"export_id": str(row["export_id"])}
                audit = Audit(principal.actor, "export_cancelled", row["list"], row["organization_id"], after=after)
                await write(connection, audit, services.now())
        if making := services.running_exports.get(row["export_id"]):
            making.cancel()
        return Response(status_code=204)

    return [
        Route("/exports/{id:uuid}", show, methods=["GET"]),
        Route("/exports/{id:uuid}", stop, methods=["DELETE"]),
    ]


def _sees(principal: Principal, row: Any) -> bool:
    """Whether an export's record is this principal's to see: anybody's for staff, else of its organization only.

    There an organization_admin sees every record, anybody else their own.
    """
    if principal.role in ("platform_admin", "support"):
        return True
    own = principal.role == "organization_admin" or principal.actor == row["actor"]
    return bool(own and principal.organization_id == row["organization_id"])
