"""`/ws/workshops/<workshop>/`: tells a workshop's instructors that its roster has changed; they fetch it again.

What changes the roster is sent to the channel layer group `workshop.<id>`, with that name in the message. However often that
comes, a browser hears of it at most once in ROSTER_EVERY_S.
"""

import asyncio
from typing import Any, Literal

from pydantic import TypeAdapter

from netlab.live.access import workshop_managed_by
from netlab.live.socket import GuardedSocket, Message, database

ROSTER_EVERY_S = 1.0


class WorkshopHello(Message):
    type: Literal["hello"]


class WorkshopSocket(GuardedSocket):
    KIND = "workshop"
    messages = TypeAdapter(WorkshopHello)
    HELLO_WITHIN_S = None
    """It only listens: nothing has to be said first."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    async def admit(self) -> None:
        self.workshop = await database(workshop_managed_by)(self.user, self.scope["url_route"]["kwargs"]["workshop"])

    def more_groups(self) -> list[str]:
        return [f"workshop.{self.workshop}"]

    async def entered(self) -> None:
        self.spawn(self._tell())

    async def hello(self, message: WorkshopHello) -> None:
        """Allowed, like on the other sockets; changes nothing."""

    async def control(self, message: dict[str, Any]) -> None:
        if message["type"] == "roster":
            self._changed.set()
        else:
            await super().control(message)

    async def _tell(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.say_json(type="roster")
            await asyncio.sleep(ROSTER_EVERY_S)
