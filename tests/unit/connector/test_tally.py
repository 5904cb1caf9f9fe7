from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from schemas.events import (
    Direction,
    HeartbeatData,
    HeartbeatEvent,
    IssueData,
    IssueEvent,
    IssueState,
    LogData,
    LogEvent,
    Operation,
    SessionData,
    SessionEvent,
    SessionStatus,
    encode,
)
from services.ingest.agent.transport import Fate, Outcome
from services.ingest.connectors.caldav_crm.tally import CountingTransport, Tally

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ABOUT = {"organization_id": UUID(int=1), "user_id": UUID(int=2), "started_at": NOW}


def session(number: int, seq: int, status: SessionStatus) -> bytes:
    data = SessionData(**ABOUT, session_id=UUID(int=number), seq=seq, status=status)
    return encode(SessionEvent(specversion="1.0", id=f"s{number}.{seq}", source="/agents/a", time=NOW, data=data))


def issue(number: int, seq: int) -> bytes:
    data = IssueData(
        **ABOUT,
        session_id=UUID(int=number),
        state=IssueState.OPENED,
        seq=seq,
        object_type="appointment",
        direction=Direction.MAIL_TO_CRM,
        operation=Operation.CREATE,
        error_code=1,
        issue_id=UUID(int=9),
    )
    return encode(IssueEvent(specversion="1.0", id=f"i{number}.{seq}", source="/agents/a", time=NOW, data=data))


def chunk(number: int, chunk_no: int) -> bytes:
    data = LogData(**ABOUT, session_id=UUID(int=number), chunk_no=chunk_no, first_line=1)
    return encode(LogEvent(specversion="1.0", id=f"l{number}.{chunk_no}", source="/agents/a", time=NOW, data=data))


HEARTBEAT = encode(
    HeartbeatEvent(
        specversion="1.0", id="h", source="/agents/a", time=NOW, data=HeartbeatData(agent_id="a", sent_at=NOW)
    )
)


class Scripted:
    """A transport that answers as it was told."""

    def __init__(self, *fates: Fate) -> None:
        self.fates = fates

    async def start(self) -> None: ...

    async def send(self, values: Sequence[bytes]) -> list[Outcome]:
        return [Outcome(fate) for fate in self.fates]

    async def close(self) -> None: ...


async def test_each_thing_counts_once_however_often_it_was_sent_and_only_when_it_was_stored() -> None:
    tally = Tally()
    values = [
        session(1, 0, SessionStatus.RUNNING),
        session(1, 1, SessionStatus.FINISHED),
        session(1, 1, SessionStatus.FINISHED),
        session(2, 0, SessionStatus.RUNNING),
        session(3, 0, SessionStatus.RUNNING),
        issue(1, 0),
        issue(1, 1),
        issue(2, 0),
        chunk(1, 0),
        chunk(1, 0),
        HEARTBEAT,
    ]
    fates = [Fate.STORED] * len(values)
    fates[3], fates[4] = Fate.AGAIN, Fate.REFUSED
    outcomes = await CountingTransport(Scripted(*fates), tally).send(values)
    assert [outcome.fate for outcome in outcomes] == fates
    assert tally.report() == {
        "sessions": 1,
        "issues": 2,
        "log_chunks": 1,
        "events": 6,
        "refused": 1,
        "by_type": {"syncwatch.issue.v1": 3, "syncwatch.log.v1": 1, "syncwatch.session.v1": 2},
        "by_status": {"finished": 1},
    }
