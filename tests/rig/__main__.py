"""`python -m tests.rig up`: one Kafka and one Postgres in the foreground, to be shared by many pytest calls.

Prints two `export` lines for the shell that runs the tests; Ctrl-C stops both.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Event

from tests.rig.servers import clear, make_kafka, make_postgres, running


def up(folder: Path) -> None:
    """Run both servers in `folder` until a signal comes."""
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    folder.mkdir(parents=True, exist_ok=True)
    clear(folder)
    postgres, kafka = make_postgres(folder), make_kafka(folder)
    with running(postgres, folder), running(kafka, folder):
        print(f"export TEST_DATABASE_URL='{postgres.url('postgres')}'")
        print(f"export TEST_KAFKA_BOOTSTRAP='{kafka.bootstrap}'", flush=True)
        while not stopped.wait(1):
            pass


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__)
    parser.add_argument("command", choices=["up"])
    usual = Path(tempfile.gettempdir()) / f"syncwatch-rig-{os.getuid()}"
    parser.add_argument("--folder", type=Path, default=usual, help="where the servers keep their files")
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        up(arguments.folder)


if __name__ == "__main__":
    main()
