"""The OpenAPI document is valid, is what the registry says, and names every route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from openapi_spec_validator import validate

from schemas.columns import LISTS
from services.query.api.document import document

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
