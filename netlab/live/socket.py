"""What all our websockets share: who may be here (and still may), messages in, sentences out. Base of the consumers.

A subclass answers `admit` (raise NetlabError to refuse), `hello` and the later messages. Every mistake of a browser ends
in one JSON error and a close code; a bug ends in a traceback in the log and an id for the person.

    4400 message not understood   4401 not signed in   4404 no such thing for you   4408 too slow (resume)
    4410 access ended             1011 a bug           1013 Redis is away, or too many sockets (try again)
"""

import asyncio
import contextlib
import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Coroutine
from typing import Any, ClassVar

import structlog
from channels.auth import get_user
from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils.module_loading import import_string
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from redis.exceptions import RedisError

from netlab.accounts.models import User
from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.ids import new_bug_id
from netlab.live.bucket import Bucket
from netlab.live.control import control
from netlab.live.tally import tally

BAD_MESSAGE = 4400
NOT_SIGNED_IN = 4401
NOT_FOUND = 4404
TOO_SLOW = 4408
ACCESS_ENDED = 4410
BUG = 1011
TRY_AGAIN = 1013

CHECK_EVERY_S = 60.0
TEXT_BYTES_MAX = 4096
TEXTS_PER_S = 400
TEXTS_BURST = 800
"""A terminal in full flow is acknowledged about a hundred times a second. Faster: this socket is read on later."""
SOCKETS_PER_PERSON = 120
"""In one web process: several tabs of a lab with all its terminals."""
REASON_BYTES_MAX = 120
"""A close frame holds 125 bytes, two of them the code (RFC 6455, 5.5)."""

log = structlog.get_logger(__name__)


class Message(BaseModel):
    """Base of what browsers send as text: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Closed(Exception):
    """The browser is gone; whoever was about to send stops."""


def session_group(session_key: str) -> str:
    """Channel layer group of everything that one session has open. A digest: group names are seen in Redis."""
    return "session." + hashlib.sha256(session_key.encode()).hexdigest()[:32]


def user_group(user_id: object) -> str:
    return f"user.{user_id}"


class GuardedSocket(AsyncWebsocketConsumer, ABC):  # type: ignore[misc]  # channels has no types
    messages: ClassVar[TypeAdapter[Any]]
    """The union of text messages, discriminated by `type`."""
    KIND: ClassVar[str]
    """What it is about, in a word, for the metrics."""
    HELLO_WITHIN_S: ClassVar[float | None] = 15.0

    def __init__(self) -> None:
        super().__init__()
        self.user: User | None = None
        self.greeted = False
        self.closing = False
        self._texts = Bucket(TEXTS_PER_S, TEXTS_BURST)
        self._counted = False
        self._tasks: set[asyncio.Task[None]] = set()

    # --- for subclasses

    @abstractmethod
    async def admit(self) -> None:
        """Check that `self.user` may be here; called on connect and once a minute. Raise NetlabError to refuse."""

    async def entered(self) -> None:
        """Admitted and connected to the channel layer."""

    async def hello(self, message: Any) -> None:
        """The first message, once; nothing else is taken before it."""
        raise NetlabError(ErrorCode.BAD_MESSAGE, what="this socket takes no messages.")

    async def take(self, message: Any) -> None:
        """Every later text message."""
        raise NetlabError(ErrorCode.BAD_MESSAGE, what="this socket takes only a hello.")

    async def take_bytes(self, data: bytes) -> None:
        raise NetlabError(ErrorCode.BAD_MESSAGE, what="this socket takes no bytes.")

    async def leave(self) -> None:
        """The browser is gone or about to be: give back what was taken. Called once."""

    # --- the ASGI application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """As AsyncConsumer's, without a channel of its own (see control.py)."""
        self.scope, self.base_send = scope, send
        with contextlib.suppress(StopConsumer):
            while True:
                await self.dispatch(await receive())

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As AsyncConsumer's, without its database housekeeping (70 us a message): `database` does its own."""
        await getattr(self, get_handler_name(message))(message)

    # --- connect, access

    async def connect(self) -> None:
        await self.accept()
        await self._guard(self._enter(), refused=NOT_FOUND)

    async def _enter(self) -> None:
        user = await get_user(self.scope)
        if not user.is_authenticated:
            await self.refuse(NOT_SIGNED_IN, NetlabError(ErrorCode.NOT_SIGNED_IN))
            return
        self.user = user
        if not self._took_place(user.pk):
            what, fix = f"{SOCKETS_PER_PERSON} connections of yours are open.", "Close pages that you do not need."
            await self.refuse(TRY_AGAIN, NetlabError(ErrorCode.BAD_INPUT, what=what, fix=fix))
            return
        await self.admit()
        self.groups = [session_group(self.scope["session"].session_key or ""), user_group(user.pk), *self.more_groups()]
        for name in self.groups:
            await control().join(name, self)
        await self.entered()
        if self.HELLO_WITHIN_S is not None:
            self.spawn(self._say_hello_in_time(self.HELLO_WITHIN_S))
        self.spawn(self._keep_checking())

    def _took_place(self, user_id: int) -> bool:
        self._counted = _sockets_of[user_id] < SOCKETS_PER_PERSON
        _sockets_of[user_id] += self._counted
        tally.sockets[self.KIND] += self._counted
        return self._counted

    def _give_place_back(self) -> None:
        if self._counted and self.user is not None:
            self._counted = False
            tally.sockets[self.KIND] -= 1
            _sockets_of[self.user.pk] -= 1
            if not _sockets_of[self.user.pk]:
                del _sockets_of[self.user.pk]

    def more_groups(self) -> list[str]:
        """Channel layer groups beside those of the session and the person."""
        return []

    async def _say_hello_in_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if not self.greeted:
            await self.refuse(BAD_MESSAGE, NetlabError(ErrorCode.BAD_MESSAGE, what=f"no hello within {seconds:g} seconds."))

    async def _keep_checking(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            await self._guard(self.check_access(), refused=ACCESS_ENDED)

    async def check_access(self) -> None:
        """Once a minute, and when somebody says that access may have ended. The session is read anew."""
        store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(self.scope["session"].session_key)
        user = await get_user({"session": store})
        if not user.is_authenticated or self.user is None or user.pk != self.user.pk:
            raise NetlabError(ErrorCode.NOT_SIGNED_IN)
        self.user = user
        await self.admit()

    async def control(self, message: dict[str, Any]) -> None:
        """From the channel layer. Signed out, or removed from the workshop: look at the access again."""
        if message["type"] == "access.ended":
            await self._guard(self.check_access(), refused=ACCESS_ENDED)

    # --- messages

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.closing:
            await self._guard(self._receive(text_data, bytes_data), refused=BAD_MESSAGE)

    async def _receive(self, text: str | None, data: bytes | None) -> None:
        if data is not None:
            if not self.greeted:
                raise NetlabError(ErrorCode.BAD_MESSAGE, what="the first message must be a hello.")
            await self.take_bytes(data)
            return
        await asyncio.sleep(self._texts.wait_for(1))
        message = self._parse(text or "")
        if (message.type == "hello") == self.greeted:
            raise NetlabError(ErrorCode.BAD_MESSAGE, what="the first message, and only that, must be a hello.")
        if not self.greeted:
            self.greeted = True
            await self.hello(message)
        else:
            await self.take(message)

    def _parse(self, text: str) -> Any:
        if len(text) > TEXT_BYTES_MAX:
            raise NetlabError(ErrorCode.BAD_MESSAGE, what=f"more than {TEXT_BYTES_MAX} characters.")
        try:
            return self.messages.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise NetlabError(ErrorCode.BAD_MESSAGE, what=f"{where + ': ' if where else ''}{first['msg']}.") from error

    # --- sending and ending

    async def say(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    async def say_json(self, **message: Any) -> None:
        await self.say(json.dumps(message, separators=(",", ":")))

    async def say_bytes(self, data: bytes) -> None:
        await self._send({"type": "websocket.send", "bytes": data})

    async def _send(self, message: dict[str, Any]) -> None:
        if self.closing:
            raise Closed
        await self.base_send(message)

    async def refuse(self, code: int, error: NetlabError) -> None:
        """Tell the browser why and close."""
        if self.closing:
            return
        body = error.body().model_dump(mode="json")
        reason = error.message.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
        self.closing = True
        try:
            await self.base_send({"type": "websocket.send", "text": json.dumps({"type": "error", **body})})
            await self.base_send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, RuntimeError):  # gone in the meantime: uvicorn says so with either
            pass
        await self._leave_once()

    async def end(self, code: int = 1000, reason: str = "") -> None:
        """Close without a complaint."""
        if not self.closing:
            self.closing = True
            with contextlib.suppress(OSError, RuntimeError):
                await self.base_send({"type": "websocket.close", "code": code, "reason": reason})
            await self._leave_once()

    async def disconnect(self, code: int) -> None:
        self.closing = True
        self._give_place_back()
        await self._leave_once()
        for name in self.groups:
            control().leave(name, self)
        for task in self._tasks:
            task.cancel()

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        await self.disconnect(message["code"])
        raise StopConsumer

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        await self.connect()

    async def _leave_once(self) -> None:
        leave, self.leave = self.leave, _nothing  # type: ignore[method-assign]
        await leave()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of this socket: guarded, and cancelled with it."""
        task = asyncio.create_task(self._guard(work, refused=BAD_MESSAGE))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # a task that was cancelled before its first step never awaited it
        return task

    async def _guard(self, work: Coroutine[Any, Any, None], refused: int) -> None:
        """Run `work`; what goes wrong becomes a sentence and a close code. The edge between browser and code."""
        try:
            await work
        except NetlabError as error:
            await self.refuse(NOT_SIGNED_IN if error.code == ErrorCode.NOT_SIGNED_IN and refused == NOT_FOUND else refused, error)
        except Closed:
            pass
        except RedisError as error:
            log.warning("redis_away", error=str(error))
            await self.refuse(TRY_AGAIN, NetlabError(ErrorCode.HOST_AWAY))
        except OSError:  # uvicorn's ClientDisconnected: the browser went while we were sending
            self.closing = True
        except Exception:
            bug = new_bug_id()
            log.exception("socket_failed", bug=bug, path=self.scope["path"])
            await self.refuse(BUG, NetlabError(ErrorCode.BUG, id=bug))


_sockets_of: Counter[int] = Counter()


async def _nothing() -> None:
    """What `leave` has become after it was called."""


database = database_sync_to_async
