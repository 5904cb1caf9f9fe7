"""The OpenAPI document is valid, is what the registry says, and names every route."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import yaml
from openapi_spec_validator import validate
from starlette.routing import Route

from schemas.columns import LISTS
from services.query.api.document import document
from services.query.app import API, build
from services.query.services import Services, Settings

ITSELF: Final = ("GET", "/openapi.json")
FILE = Path(__file__).parents[2] / "schemas" / "openapi.yaml"


def written() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded


def test_the_document_is_valid() -> None:
    validate(written())


def test_the_file_is_what_the_registry_says() -> None:
    """After a change of columns: python -m services.query.api.document > schemas/openapi.yaml"""
    assert written() == document()


def test_every_column_that_can_be_filtered_is_a_parameter() -> None:
    parameters = written()["components"]["parameters"]
    for view in LISTS.values():
        for column in view.columns:
            assert f"{view.kind}.{column.name}" in parameters


def test_the_document_names_every_route_with_its_methods_and_no_other() -> None:
    settings = Settings(reader_database_url="", reader_all_database_url="", panel_database_url="", secret_key="")
    app = build(Services(settings, cast(Any, None), lambda: datetime.now(UTC), b""))
    routes = {
        (method, route.path.removeprefix(API).replace(":uuid}", "}"))
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith(API)
        for method in (route.methods or set()) - {"HEAD"}
    }
    named = {
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert named == routes - {ITSELF}
