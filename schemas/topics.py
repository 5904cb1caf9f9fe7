"""The Kafka topics as data: names, partitions, retention, and what to do when offsets are missing.

Topics are created by a command at deploy time, never by auto-create. Full name = prefix + name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from schemas.kinds import (
    CommandEvent,
    Event,
    HeartbeatEvent,
    LogEvent,
    OutEvent,
    StatusEvent,
)

OnGap = Literal["halt", "note", "latest"]
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic. `on_gap` is None where Syncwatch only writes; `ticked` ones get a tick every 2 s a partition."""

    name: str
    partitions: int
    kept_hours: int
    on_gap: OnGap | None
    ticked: bool = False

    def is_called(self, full_name: str) -> bool:
        """Whether this is the topic of a full name, whatever prefix stands in front."""
        return full_name.endswith(self.name)

    @property
    def config(self) -> Mapping[str, str]:
        """Return the topic's configuration for Kafka; limits on sizes are the deployment's."""
        # Append time decides in Syncwatch, and a gap in the offsets must mean a loss: so no compaction.
        return MappingProxyType(
            {
                "cleanup.policy": "delete",
                "message.timestamp.type": "LogAppendTime",
                "retention.ms": str(self.kept_hours * _HOUR_MS),
                "segment.ms": str(min(self.kept_hours, 24) * _HOUR_MS),
            }
        )


EVENTS: Final = Topic(name="syncwatch.events", partitions=12, kept_hours=7 * 24, on_gap="halt", ticked=True)
"""session, issue, directory, command_result: what needs order among itself. Key: user_id, else organization_id."""
LOGS: Final = Topic(name="syncwatch.logs", partitions=12, kept_hours=3 * 24, on_gap="note", ticked=True)
"""log. Key: user_id."""
HEARTBEATS: Final = Topic(name="syncwatch.heartbeats", partitions=3, kept_hours=24, on_gap="latest")
"""heartbeat. Key: agent_id."""
STATUS: Final = Topic(name="syncwatch.status", partitions=12, kept_hours=30 * 24, on_gap=None)
"""Status changes, out. Key: user_id, else organization_id."""
COMMANDS: Final = Topic(name="syncwatch.commands", partitions=3, kept_hours=7 * 24, on_gap=None)
"""Commands to agents, out. Key: organization_id."""

TOPICS: Final = (EVENTS, LOGS, HEARTBEATS, STATUS, COMMANDS)
INPUT_TOPICS: Final = (EVENTS, LOGS, HEARTBEATS)
TICKED_TOPICS: Final = tuple(topic for topic in TOPICS if topic.ticked)

CONTENT_TYPE: Final = "application/cloudevents+json"
HEADERS: Final = (("content-type", CONTENT_TYPE.encode()),)
"""The headers of every record; where they are missing, the value decides."""


def topic_of(event: Event | OutEvent) -> Topic:
    """Return where an event belongs. A tick belongs to every ticked topic; the answer for it is the first of them."""
    match event:
        case LogEvent():
            return LOGS
        case HeartbeatEvent():
            return HEARTBEATS
        case StatusEvent():
            return STATUS
        case CommandEvent():
            return COMMANDS
        case _:
            return EVENTS


def key_of(event: Event | OutEvent) -> bytes:
    """Return the record key, which keeps the order of what needs it: user, else organization, else agent."""
    if isinstance(event, HeartbeatEvent):
        return event.agent_id.encode()
    user = None if isinstance(event, CommandEvent) else getattr(event.data, "user_id", None)
    return str(user or getattr(event.data, "organization_id", None) or event.agent_id).encode()
