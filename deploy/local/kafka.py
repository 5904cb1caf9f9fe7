"""A real Apache Kafka for one machine: one node in KRaft mode, on loopback only."""

from __future__ import annotations

import asyncio
import base64
import logging
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.ports import HOST
from deploy.local.processes import Command, Process, last_lines
from deploy.local.refusals import BadInput, CannotRun
from services.common.kafka import client_options

LOG4J: Final = Path(__file__).with_name("log4j2.properties")
READY_WITHIN_S: Final = 90

# One combined node. group.initial.rebalance.delay is for fleets; the two broker time-outs let a node that was
# killed come back in 5 s instead of 12.
PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
controller.quorum.bootstrap.servers={host}:{controller_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.dirs={data}
"""


def cluster_id(random: bytes) -> str:
    """Return the id of a new cluster from 16 random bytes, as Kafka writes ids: never with a dash in front.

    One id in 64 would have it, and Kafka's own tool takes that for an option.
    """
    return base64.urlsafe_b64encode(b"\0" + random[1:]).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """One node: where it lives, what runs it, where it listens."""

    folder: Path
    java: Path
    jars: Sequence[Path]
    port: int
    controller_port: int
    environment: Mapping[str, str]
    throwaway: bool = False
    """For tests, which start often and send little: half the work at start, at the price of speed later."""

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def prepare(self) -> None:
        """Write server.properties, and format the storage where it is new."""
        if "," in str(self.data):
            raise BadInput(f"Kafka cannot keep its data in {self.data}: the path holds a comma.")
        self.folder.mkdir(parents=True, exist_ok=True)
        text = PROPERTIES.format(host=HOST, port=self.port, controller_port=self.controller_port, data=self.data)
        self._properties.write_text(text)
        if not (self.data / "meta.properties").exists():
            self._format()

    def command(self) -> Command:
        """Return how to run it; call `prepare` first."""
        return Command(
            name="kafka",
            argv=[*self._jvm("-Xms256m", "-Xmx512m", *self._start_options()), "kafka.Kafka", self._properties],
            environment=self.environment,
            folder=self.folder,
            patience_s=30,
        )

    async def ready(self, process: Process) -> None:
        """Wait until a metadata request is answered: an open port says nothing. Raises CannotRun if it never is."""
        limit = time.monotonic() + READY_WITHIN_S
        while not await answers(self.bootstrap):
            if (code := process.exit_code()) is not None:
                raise CannotRun("\n  ".join([f"Kafka ended with code {code}:", *last_lines(process.log)]))
            if time.monotonic() > limit:
                raise CannotRun(f"Kafka did not answer within {READY_WITHIN_S} s; its log is {process.log}.")
            await asyncio.sleep(0.1)

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _start_options(self) -> list[str]:
        """The first run leaves its loaded classes behind, later ones map them: half the work at every other start.

        The file is named for what it fits, and Java passes over one that does not.
        """
        if self.throwaway:
            return ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        fits = sha256("\n".join(map(str, (self.java, *self.jars))).encode()).hexdigest()
        classes = self.folder / f"classes-{fits[:16]}.jsa"
        option = "SharedArchiveFile" if classes.exists() else "ArchiveClassesAtExit"
        return ["-XX:+UseSerialGC", f"-XX:{option}={classes}"]

    def _jvm(self, *options: str) -> list[str | Path]:
        class_path = ":".join(str(jar) for jar in self.jars)
        quiet = ("-XX:-UsePerfData", f"-Dlog4j2.configurationFile={LOG4J.as_uri()}")
        return [self.java, *options, *quiet, "-cp", class_path]

    def _format(self) -> None:
        cluster = cluster_id(uuid.uuid4().bytes)
        tool = [*self._jvm("-Xmx128m"), "kafka.tools.StorageTool", "format", "--standalone"]
        told = subprocess.run(
            [str(part) for part in [*tool, "-t", cluster, "-c", self._properties]],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode != 0:
            lines = (told.stdout + told.stderr).strip().splitlines()[-12:]
            raise CannotRun("\n  ".join(["Kafka cannot make its storage:", *lines]))


async def answers(bootstrap: str, within_s: float = 2.0) -> bool:
    """Whether a broker at `bootstrap` answers a metadata request in time."""
    host, _, port = bootstrap.split(",")[0].strip().rpartition(":")
    try:
        async with asyncio.timeout(within_s):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            await writer.wait_closed()
            return await _describes(bootstrap)
    except (OSError, TimeoutError, ValueError):
        return False


async def _describes(bootstrap: str) -> bool:
    """Ask for the cluster's brokers. While a node starts the client complains at length: not here."""
    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except RuntimeError:  # the root of aiokafka's errors
        return False
    finally:
        await admin.close()
        logger.setLevel(level)
