import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError

from services.common import patience
from services.common.patience import is_outage, through_outages


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (asyncpg.CannotConnectNowError("the database system is starting up"), True),
        (asyncpg.AdminShutdownError("terminating connection"), True),
        (asyncpg.DeadlockDetectedError("deadlock detected"), True),
        (asyncpg.InternalClientError("cannot switch to state 15"), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (KafkaTimeoutError(), True),
        (KafkaConnectionError("no broker"), True),
        (asyncpg.InterfaceError("the number of arguments differs"), False),
        (asyncpg.UndefinedTableError("no such table"), False),
        (MessageSizeTooLargeError(), False),
        (KeyError("bug"), False),
    ],
)
def test_an_outage_is_told_from_a_bug(error: Exception, waits: bool) -> None:
    assert is_outage(error) is waits


async def test_an_outage_is_waited_out_with_growing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.001)
    left = [ConnectionRefusedError(), ConnectionRefusedError(), ConnectionRefusedError()]
    waited: list[float] = []

    async def action() -> str:
        if left:
            raise left.pop()
        return "done"

    assert await through_outages(action, on_wait=lambda _, seconds: waited.append(seconds)) == "done"
    assert len(waited) == 3
    assert waited[2] > waited[0]


async def test_anything_else_escapes_at_once() -> None:
    async def action() -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await through_outages(action)
