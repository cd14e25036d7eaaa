"""The API over a real engine and store, asked through ASGI; time is the test's."""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, cast

import httpx
from engine_rig import Rig

from dashboards.panels import PANELS
from slo.adjuster import Adjuster
from slo.adjustments import Agreed
from slo.alarms import Quiet
from slo.api import application
from slo.api_guard import hosts_of
from slo.api_parts import Beyond, Parts
from slo.desk import Desk
from slo.desk_store import DeskStore
from slo.engine import Reach
from slo.live_hub import Hub
from slo.lookback import Lookback
from slo.panel_about import about
from slo.panel_desk import PanelDesk
from slo.panel_past import Documents, Said
from slo.view import EngineView
from telemetry.store import Store

Json = dict[str, Any]
HOST = "127.0.0.1:8200"


class ApiRig:
    """One endpoint and objective of its name, its engine, and the API that tells of it.

    Args:
        reader: The store, for questions.
        writer: The store, for rows.
        folder: Where the ledger is.
        name: Of endpoint and objective.
        at_s: When it begins.
        beyond: What only the whole program can do.
    """

    def __init__(
        self, reader: Store, writer: Store, folder: Path, name: str, at_s: int, beyond: Beyond | None = None
    ) -> None:
        self.reader, self._ids, self._beyond = reader, count(1), beyond or Beyond()
        self.rig = Rig(reader, writer, folder / "slo.sqlite", name, at_s)
        adjuster = Adjuster(reader, self.rig.watched, self._agreed)
        self.rig.reach = Reach(channels=self.rig.hear, quiet=self._quiet, adjust=adjuster.budgets)
        self.restart()

    def restart(self, store: Store | None = None) -> None:
        """Start engine, desk and API anew on the same ledger; with a store, on that one."""
        self.rig.restart()
        if store is not None:
            self.rig.engine = self.rig.started(store)
        self.shared = DeskStore(store or self.reader, store or self.rig.writer)
        self.desk = Desk(self.rig.ledger, self.shared)
        lookback = Lookback(store or self.reader)
        documents = Documents(lambda: self.view, lookback, Said, lambda: int(self.rig.now_s), self._agreed)
        desk = PanelDesk(
            PANELS,
            store or self.reader,
            documents,
            lambda: int(self.rig.now_s * 1000),
            about=lambda asked: about(self.view, asked),
        )
        self.parts = Parts(
            engine=self,
            desk=self.desk,
            shared=self.shared,
            lookback=lookback,
            now_s=lambda: int(self.rig.now_s),
            new_id=lambda: f"{self.rig.name}-{next(self._ids)}",
            panels=desk,
            hub=Hub(desk, lambda: int(self.rig.now_s * 1000)),
            beyond=self._beyond,
        )
        self.app = application(self.parts, hosts_of("127.0.0.1", 8200), "0.0.0")

    def live(self, good: int, bad: int, steps: int = 1) -> None:
        """Let half a minute pass, again and again, as serve does: a step of the engine, then the desk."""
        for _ in range(steps):
            self.rig.live(good, bad)
            self.desk.refresh(self.view, int(self.rig.now_s))

    @property
    def view(self) -> EngineView:
        """What the engine saw last."""
        return self.rig.engine.view

    def _agreed(self) -> Sequence[Agreed]:
        return self.desk.agreed()

    def _quiet(self, at_s: int) -> Quiet:
        return self.desk.quiet(at_s)  # of the desk that there is now

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        client: str = "127.0.0.1",
    ) -> httpx.Response:
        """Ask the API.

        Args:
            method: HTTP method.
            path: Path and query.
            body: Sent as JSON; None sends none.
            content: Sent as it is.
            headers: Beside the usual ones.
            client: Address that the question comes from.
        """
        transport = httpx.ASGITransport(app=cast("Any", self.app), client=(client, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as asker:
            return await asker.request(method, path, json=body, content=content, headers=headers)

    async def get(self, path: str) -> Json:
        """Return what a GET says, which must be good."""
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return cast("Json", answer.json())

    async def post(self, path: str, body: object, status: int = 201) -> Json:
        """Return what a POST says, whose status must be this one."""
        answer = await self.ask("POST", path, body=body)
        assert answer.status_code == status, answer.text
        return cast("Json", answer.json())
