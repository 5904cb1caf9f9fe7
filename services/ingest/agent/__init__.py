"""The agent library: everything a connector imports (docs/agents.md)."""

from services.ingest.agent.direct import KafkaTransport
from services.ingest.agent.http import HttpTransport
from services.ingest.agent.reporter import Figures, Reporter
from services.ingest.agent.session import Session
from services.ingest.agent.traces import trace_of
from services.ingest.agent.transport import Transport

__all__ = ["Figures", "HttpTransport", "KafkaTransport", "Reporter", "Session", "Transport", "trace_of"]
