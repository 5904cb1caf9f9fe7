"""Every route of the service with ids put in, and everything that an answer says: for tests that look for a word."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from uuid import UUID

import httpx
from starlette.routing import Route

from tests.integration.query.conftest import Service


def addresses(service: Service, organization: UUID, user: UUID, key: str, export: str) -> Iterator[tuple[str, str]]:
    """Yield (method, address) of every route, filled in with ids of one organization."""
    ids = {
        "{organization:uuid}": str(organization), "{user:uuid}": str(user),
        "{key}": key, "{id:uuid}": export, "{token}": "nonsense",
    }  # fmt: skip
    for route in service.app.routes:
        if isinstance(route, Route):
            path = route.path
            for name, value in ids.items():
                path = path.replace(name, value)
            assert "{" not in path, f"{route.path}: teach this test its parameter"
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, path


def texts_of(answer: httpx.Response) -> str:
    """Return everything an answer says: head, body, and what is in a zip."""
    said = answer.text + " ".join(f"{name}: {value}" for name, value in answer.headers.items())
    if answer.headers.get("content-type") == "application/zip":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            said += "".join(name + archive.read(name).decode() for name in archive.namelist())
    return said
