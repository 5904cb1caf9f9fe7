"""The operator's command line beside `./run`: it knows where that keeps its database, its Kafka and its panel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deploy.local.folder import Folder
from deploy.local.ports import Ports
from deploy.local.refusals import BadInput
from deploy.local.settings import Settings
from deploy.local.world import USUAL_PORTS, World


def environment(settings: Settings, path: Path) -> Mapping[str, str]:
    """Return the variables of `syncwatch` for what was started from a state folder.

    Raises BadInput where nothing was.
    """
    kept = Ports(path / "ports.json").kept()
    if not kept:
        raise BadInput(f"Nothing was started from {path} yet: type ./run first, or name its folder with STATE_DIR.")
    named = {} if settings.port is None else {"panel": settings.port}
    return World(settings=settings, folder=Folder(path), ports=USUAL_PORTS | kept | named).operators()
