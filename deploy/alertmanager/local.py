"""Alertmanager on this machine: its files and its command line."""

from pathlib import Path
from typing import Final

CONFIGURATION: Final = Path(__file__).with_name("alertmanager.yml")
BINARIES: Final = ("alertmanager", "prometheus-alertmanager")
"""Its names, upstream's and Debian's, in the order to look for them."""


def with_webhook(configuration: str, url: str) -> str:
    """Return `configuration` with notices to operators sent to `url`."""
    receiver = "  - name: operators\n"
    if configuration.count(receiver) != 1:
        raise ValueError("the configuration names the receiver `operators` not exactly once")
    return configuration.replace(receiver, f'{receiver}    webhook_configs: [{{url: "{url}"}}]\n')


def lay_out_alertmanager(folder: Path, *, webhook: str | None = None) -> None:
    """Write what Alertmanager reads into `folder`. Without a webhook, notices are kept in Alertmanager only."""
    configuration = CONFIGURATION.read_text(encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    text = configuration if webhook is None else with_webhook(configuration, webhook)
    (folder / "alertmanager.yml").write_text(text, encoding="utf-8")


def alertmanager_command(binary: str, folder: Path, *, port: int) -> list[str]:
    """Return the command line of an Alertmanager on loopback, alone (no cluster), its data in `folder`."""
    return [
        binary,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
