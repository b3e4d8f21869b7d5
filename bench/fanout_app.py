"""The server of bench/fanout.py: one lab's counters to many websockets, by netlab's hub at /hub/, by channels_redis at /layer/.

Both are Channels consumers under the same server; only the way of a sample from Redis to them differs. Started by
`uvicorn bench.fanout_app:app` with NETLAB_REDIS_URL; needs no database.
"""

import asyncio
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import channel_layers
from channels.routing import ProtocolTypeRouter, URLRouter
from channels_redis.core import RedisChannelLayer
from django.conf import settings
from django.urls import path

from netlab.config import load_config
from netlab.live.hub import hub
from netlab.live.run_browser import RunBrowser

RUN, HOST, GROUP, LAYER = "rbench", "bench", "lab", "default"
LAYER_CAPACITY = 1000
REDIS = {"address": load_config().redis_url, "socket_timeout": 60}  # it waits there for longer than the client would by itself
LAYERS = {LAYER: {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS], "capacity": LAYER_CAPACITY}}}

if not settings.configured:
    settings.configure(CHANNEL_LAYERS=LAYERS, SECRET_KEY="of a bench")


class HubConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    channel_layer_alias = "none"

    async def connect(self) -> None:
        await self.accept()
        self.browser = RunBrowser("fast", lambda: None)
        self.served = await hub().join(RUN, HOST, self.browser)
        self.pump = asyncio.create_task(self._pump())

    async def disconnect(self, code: int) -> None:
        self.pump.cancel()
        hub().leave(self.served, self.browser)

    async def _pump(self) -> None:
        """As netlab.live.run_socket does it, for counters alone."""
        while True:
            await self.browser.signal.wait()
            self.browser.signal.clear()
            due = self.browser.take_frame(self.served.merged.full() if self.browser.wants_newest else None)
            if due is not None:
                await self.send(bytes_data=due[1])


class LayerConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    groups = (GROUP,)

    async def frame(self, message: dict[str, Any]) -> None:
        await self.send(bytes_data=message["data"])


def layer() -> RedisChannelLayer:
    return channel_layers[LAYER]


app = ProtocolTypeRouter({"websocket": URLRouter([path("hub/", HubConsumer.as_asgi()), path("layer/", LayerConsumer.as_asgi())])})
