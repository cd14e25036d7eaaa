"""The routes of single requests, over a store with a past."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from panel_rig import END_MS, ENDPOINT, PanelRig
from views import HOST, Told, judged, seen

from slo.api import application
from slo.api_guard import hosts_of
from slo.api_requests import LIST_S_MAX

FROM = f"from={END_MS // 1000 - 3_600}&to={END_MS // 1000}&endpoint={ENDPOINT}"


@pytest.fixture(scope="module")
def app(past: PanelRig, tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 -- an ASGI application
    told = Told(tmp_path_factory.mktemp("requests"), seen(judged()))
    parts = replace(told.parts, panels=past.desk, now_s=lambda: END_MS // 1000)
    return application(parts, hosts_of("127.0.0.1", 8200), "0.0.0")


async def ask(app: Any, path: str) -> httpx.Response:  # noqa: ANN401 -- an ASGI application
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as asker:
        return await asker.get(path)


async def test_a_list_goes_on_where_it_stopped(app: Any) -> None:  # noqa: ANN401 -- an ASGI application
    first = (await ask(app, f"/v1/requests?{FROM}&limit=1000")).json()
    ids = [one["id"] for one in first["requests"]]
    pages = 1
    while after := first["after"]:
        first = (await ask(app, f"/v1/requests?{FROM}&limit=1000&after={after}")).json()
        ids += [one["id"] for one in first["requests"]]
        pages += 1

    assert (4, 3_600, 3_600) == (pages, len(ids), len(set(ids)))


async def test_a_box_and_what_it_shares(app: Any) -> None:  # noqa: ANN401 -- an ASGI application
    bad = (await ask(app, f"/v1/requests?{FROM}&outcome=stream_error")).json()["requests"]
    slow = (await ask(app, f"/v1/requests?{FROM}&low_s=0.5&high_s=1")).json()["requests"]
    facets = (await ask(app, f"/v1/requests/facets?{FROM}")).json()["facets"]

    assert 72 == len(bad)
    assert {"stream_error"} == {one["outcome"] for one in bad}
    assert slow
    assert all(0.5 <= one["ttft"] < 1 for one in slow)
    assert ("stream_error", 1.0) == (facets[0]["value"], facets[0]["share_of_bad"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/v1/requests?limit=0", 400, id="no rows"),
        pytest.param("/v1/requests?limit=1001", 400, id="too many rows"),
        pytest.param("/v1/requests?after=x", 400, id="no cursor"),
        pytest.param("/v1/requests?outcome=odd", 400, id="no outcome"),
        pytest.param("/v1/requests?low_s=nan", 400, id="no duration"),
        pytest.param("/v1/requests?x=1", 400, id="an unknown parameter"),
        pytest.param(f"/v1/requests?from=now-{LIST_S_MAX + 1}s", 400, id="longer than requests are kept"),
        pytest.param("/v1/requests?from=then", 400, id="no time"),
        pytest.param("/v1/requests/facets?limit=1", 400, id="facets have no limit"),
        pytest.param("/v1/requests/abc", 400, id="no id"),
        pytest.param("/v1/requests/00000000-0000-0000-0000-000000000001", 400, id="an id that is no UUIDv7"),
        pytest.param("/v1/requests/01930000-0000-7000-8000-000000000001", 404, id="no request of that id"),
    ],
)
async def test_what_is_no_question_is_a_problem(app: Any, path: str, status: int) -> None:  # noqa: ANN401 -- ASGI
    answer = await ask(app, path)

    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]


async def test_one_request_is_told_whole(app: Any, past: PanelRig) -> None:  # noqa: ANN401 -- an ASGI application
    request_id = past.with_id()
    shown = (await ask(app, f"/v1/requests/{request_id}")).json()

    assert request_id == shown["id"]
    assert "usual" == shown["columns"]["model"]["value"]
    assert {"decode", "rest"} <= {one["name"] for one in shown["parts"]}
