"""Image and compose file: linted, valid, and every service finds the settings it asks for."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from services.common.settings import read

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
COMPOSE: Final = DEPLOY / "compose" / "compose.yaml"
SETTINGS: Final = {
    "syncwatch-gateway": ("services.ingest.gateway.__main__", "gateway"),
    "syncwatch-aggregator": ("services.aggregator.__main__", "aggregator"),
    "syncwatch-query": ("services.query.services", "query"),
}
SERVICES: Final[Mapping[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
OURS: Final = [name for name, service in SERVICES.items() if service.get("command", [""])[0] in SETTINGS]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make-secrets` makes."""
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(DEPLOY / "compose" / "make-secrets", folder)
    for _ in range(2):  # safe to repeat
        subprocess.run(["sh", folder / "make-secrets"], check=True, timeout=30)
    return folder / "secrets"


def run_beside_python(program: str, *arguments: str | Path) -> None:
    """Run a checker that came with the dev packages."""
    command = [Path(sys.executable).with_name(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_is_valid() -> None:
    run_beside_python("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_the_image_is_built_by_the_rules() -> None:
    run_beside_python("hadolint", DEPLOY / "docker" / "Dockerfile")


@pytest.mark.parametrize("name", OURS)
def test_every_service_finds_its_settings(name: str, secrets: Path) -> None:
    service = SERVICES[name]
    module, prefix = SETTINGS[service["command"][0]]
    given = {
        variable: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value.replace("/run/secrets", str(secrets)))
        for variable, value in service["environment"].items()
    }
    settings = read(importlib.import_module(module).Settings, given, prefix)
    assert settings.metrics_port == int(given["METRICS_PORT"])
    known = {field.upper() for field in type(settings).__dataclass_fields__}
    assert {variable.removesuffix("_FILE") for variable in given} <= known


def test_every_secret_is_made_and_handed_out(secrets: Path) -> None:
    declared = set(yaml.safe_load(COMPOSE.read_text())["secrets"])
    assert declared == {path.name for path in secrets.iterdir()}
    assert declared == {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    for service in SERVICES.values():
        read_from = {Path(path).name for path in str(service).split() if path.startswith("'/run/secrets/")}
        assert {name.strip("',}") for name in read_from} <= set(service.get("secrets", ()))


def test_roles_are_given_the_passwords_that_the_services_use(secrets: Path) -> None:
    statements = (secrets / "roles").read_text()
    for role in ("gateway", "writer", "reader", "reader_all", "panel"):
        password = (secrets / f"{role}_url").read_text().split(":")[2].partition("@")[0]
        assert f"ALTER ROLE syncwatch_{role} PASSWORD '{password}';" in statements


def test_prometheus_is_told_every_service_and_its_port() -> None:
    groups = json.loads((DEPLOY / "compose" / "targets.json").read_text())
    told = {target for group in groups for target in group["targets"]}
    assert told == {f"{name}:{SERVICES[name]['environment']['METRICS_PORT']}" for name in OURS}


def test_what_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (COMPOSE.parent / source).exists(), source
