"""A browser's tab that follows panels, over ASGI: it reads events as they come and can be closed."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import msgspec
from views import HOST

Event = dict[str, str]


class Tab:
    """One open stream.

    Args:
        app: The application.
        path: What is asked for, with its query.
        headers: Beside Host.
    """

    def __init__(self, app: Any, path: str, **headers: str) -> None:  # noqa: ANN401 -- an ASGI application
        self._app, self._closed = app, asyncio.Event()
        url = urlsplit(path)
        lines = [(b"host", HOST.encode()), *((name.lower().encode(), text.encode()) for name, text in headers.items())]
        self._scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": url.path, "raw_path": url.path.encode(), "root_path": "", "query_string": url.query.encode(),
            "headers": lines, "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 8200),
        }  # fmt: skip
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw = b""
        self._news = asyncio.Condition()

    async def follow(self) -> None:
        """Ask, and read until the server ends or the tab is closed."""
        await self._app(self._scope, self._receive, self._send)

    def close(self) -> None:
        """Go away."""
        self._closed.set()

    @property
    def events(self) -> list[Event]:
        """What came, oldest first; a comment is an event of its own."""
        blocks = [one for one in self.raw.decode().split("\n\n") if one.strip()]
        return [_event(one) for one in blocks]

    def of(self, name: str) -> list[Any]:
        """Return the data of the events of a name."""
        return [msgspec.json.decode(one["data"]) for one in self.events if one.get("event") == name]

    async def until(self, name: str, n: int = 1) -> None:
        """Wait until so many events of a name have come."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: len(self.of(name)) >= n), 30)

    async def _receive(self) -> dict[str, Any]:
        await self._closed.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:  # noqa: ANN401 -- of ASGI
        async with self._news:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {key.decode(): value.decode() for key, value in message["headers"]}
            self.raw += message.get("body", b"")
            self._news.notify_all()


def _event(block: str) -> Event:
    found: Event = {}
    for line in block.splitlines():
        name, _, value = line.partition(": ")
        found["comment" if not name else name.rstrip(":")] = value
    return found
