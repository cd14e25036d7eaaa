"""What an engine may have seen, made of facts, and an API that tells of it without a store."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, cast

import httpx
from engine_rig import objective

from dashboards.panels import PANELS
from slo.alarms import Judged, advance
from slo.api import application
from slo.api_guard import hosts_of
from slo.api_parts import Parts
from slo.counts import Counts
from slo.desk import Desk
from slo.desk_store import DeskStore
from slo.evaluation import Facts, evaluate
from slo.ledger import Ledger
from slo.live_hub import Hub
from slo.lookback import Lookback
from slo.panel_about import about
from slo.panel_desk import PanelDesk
from slo.panel_past import Documents, Said
from slo.silence import Silence
from slo.view import EngineView
from slo.watched import watched
from telemetry.store import Store

NOW_S = 1_790_000_010
HOST = "127.0.0.1:8200"
NOBODY = "http://127.0.0.1:1"
Json = dict[str, Any]


def judged(name: str = "chat", good: int = 1_000, bad: int = 0, endpoint: str = "chat", **facts: object) -> Judged:
    """Return an objective whose windows all hold the same requests."""
    one = watched(objective(name))
    known: dict[str, Any] = {"expected": 100_000.0, **facts}
    windows = dict.fromkeys(one.windows_s, Counts(eligible=good + bad, bad=bad))
    found = evaluate(one, Facts(at_s=NOW_S, windows=windows, **known))
    return Judged(watched=one, group={"endpoint": endpoint}, found=found)


def seen(*of: Judged, **more: Any) -> EngineView:  # noqa: ANN401 -- fields of the view
    """Return what an engine saw that judged these at its first instant."""
    moved = advance(of, {}, NOW_S)
    view = EngineView(
        watched=[one.watched for one in of],
        at_s=NOW_S,
        lag_s=1.0,
        judged=of,
        alerts=moved.alerts,
        held=moved.held,
        standing=moved.standing,
        transitions=moved.transitions,
    )
    return replace(view, **more)


class Told:
    """An API over a view and a desk; the store is gone.

    Args:
        folder: Where the ledger is.
        view: What the engine saw.
    """

    def __init__(self, folder: Path, view: EngineView) -> None:
        self.view, self.now_s = view, NOW_S
        ids = count(1)
        store = Store(NOBODY, request_s=1)
        self.ledger = Ledger(folder / "desk.sqlite")
        shared = DeskStore(store, store)
        self.desk = Desk(self.ledger, shared)
        documents = Documents(lambda: self.view, Lookback(store), Said, lambda: self.now_s)
        desk = PanelDesk(
            PANELS, store, documents, lambda: self.now_s * 1000, about=lambda asked: about(self.view, asked)
        )
        self.parts = Parts(
            engine=self,
            desk=self.desk,
            shared=shared,
            lookback=Lookback(store),
            now_s=lambda: self.now_s,
            new_id=lambda: f"id-{next(ids)}",
            panels=desk,
            hub=Hub(desk, lambda: self.now_s * 1000),
        )
        self.app = application(self.parts, hosts_of("127.0.0.1", 8200), "0.0.0")

    async def ask(self, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:  # noqa: ANN401 -- of httpx
        """Ask the API; `client` is the address that the question comes from."""
        client = (more.pop("client", "127.0.0.1"), 50_000)
        transport = httpx.ASGITransport(app=cast("Any", self.app), client=client, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as asker:
            return await asker.request(method, path, json=body, **more)

    async def said(self, method: str, path: str, body: object = None, status: int = 200) -> Json:
        """Return what the API says, whose status must be this one."""
        answer = await self.ask(method, path, body)
        assert answer.status_code == status, answer.text
        return cast("Json", answer.json())


def silence(
    name: str = "quiet", matchers: tuple[Any, ...] = (), *, since_s: int = NOW_S, length_s: int = 3_600
) -> Silence:
    return Silence(
        id=name, matchers=matchers, starts_at_s=since_s, ends_at_s=since_s + length_s, author="ann", comment="repair"
    )


def labels(endpoint: str = "chat") -> Mapping[str, str]:
    return {"alertname": "chat", "slo": "chat", "service": "chat", "endpoint": endpoint, "severity": "page"}
