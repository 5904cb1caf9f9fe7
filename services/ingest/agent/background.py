"""What goes on beside the connector for as long as the reporter does; a bug in it is told, and it begins again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
_LOG: Final = logging.getLogger(__name__)


class Background:
    """Runs tasks until `stop`. One that ends by an error nobody foresaw begins again, later each time."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: dict[str, str] = {}

    @property
    def trouble(self) -> str | None:
        """What the last task to fail failed with; None when each has run for a minute since."""
        return next(reversed(self._failed.values()), None)

    def start(self, **works: Callable[[], Awaitable[None]]) -> None:
        """Run each work as a task, under the name it is given; one that returns is done."""
        self._tasks += [asyncio.create_task(self._keep(name, work)) for name, work in works.items()]

    async def stop(self) -> None:
        """Cancel what runs, and wait for it to end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        wait = _FIRST_WAIT_S
        while True:
            mended = asyncio.get_running_loop().call_later(_LONGEST_WAIT_S, self._failed.pop, name, None)
            try:
                return await work()
            except Exception as error:
                wait = min(wait * 2, _LONGEST_WAIT_S) if self._failed.pop(name, None) else _FIRST_WAIT_S
                self._failed[name] = f"{name} failed: {type(error).__name__}: {error}"
                _LOG.exception(
                    "a task of the reporter failed and will begin again",
                    extra={"action": "task_failed", "task": name, "seconds": wait},
                )
            finally:
                mended.cancel()
            await asyncio.sleep(wait)
