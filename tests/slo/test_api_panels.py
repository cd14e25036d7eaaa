"""The routes of panels: JSON, CSV and SQL of the same answer, entity tags, what is no question."""

import csv
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from panel_rig import END_MS, ENDPOINT, PanelRig, beats, records
from views import HOST, Told, judged, seen

from dashboards.panels import PANELS
from slo.api import application
from slo.api_guard import hosts_of
from slo.live_hub import Hub
from slo.panel_desk import PanelDesk
from slo.panel_documents import Documented
from telemetry.queries.asked import Asked, Pick
from telemetry.queries.question import Question

QUERY = f"?from=now-15m&endpoint={ENDPOINT}"


@pytest.fixture(scope="module")
def app(past: PanelRig, tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 -- an ASGI application
    told = Told(tmp_path_factory.mktemp("panels"), seen(judged()))
    return application(
        replace(told.parts, panels=past.desk, hub=Hub(past.desk, lambda: END_MS)), hosts_of("127.0.0.1", 8200), "0.0.0"
    )


async def ask(app: Any, path: str, **headers: str) -> httpx.Response:  # noqa: ANN401 -- an ASGI application
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as asker:
        return await asker.get(path, headers=headers)


async def test_the_list_has_every_panel(app: Any) -> None:  # noqa: ANN401 -- an ASGI application
    listed = (await ask(app, "/v1/panels")).json()["panels"]

    assert [one.id for one in PANELS] == [one["id"] for one in listed]
    assert all(one["unit"] and one["meaning"] and one["action"] for one in listed)


async def test_json_and_csv_have_the_same_rows(app: Any) -> None:  # noqa: ANN401 -- an ASGI application
    told = (await ask(app, f"/v1/panels/fleet.ttft.json{QUERY}")).json()
    lines = list(csv.reader(StringIO((await ask(app, f"/v1/panels/fleet.ttft.csv{QUERY}")).text)))

    assert ["t", "ttft_p50_s", "ttft_p95_s", "ttft_p99_s"] == lines[0][:4]
    assert len(told["rows"]) == len(lines) - 1
    for row, n, line in zip(told["rows"], told["n"], lines[1:], strict=True):
        assert [*("" if cell is None else str(cell) for cell in row[1:]), str(n)] == line[1:]


async def test_the_statement_is_told_with_its_values(app: Any) -> None:  # noqa: ANN401 -- an ASGI application
    told = (await ask(app, f"/v1/panels/fleet.bad.json{QUERY}")).json()
    sql = (await ask(app, f"/v1/panels/fleet.bad.sql{QUERY}")).text

    assert told["sql"] == sql.rstrip("\n")
    assert [ENDPOINT] == told["parameters"]["where_endpoint"]
    assert ENDPOINT not in sql


async def test_nothing_new_is_not_asked_for_again(app: Any) -> None:  # noqa: ANN401 -- an ASGI application
    path = f"/v1/panels/fleet.bad.json{QUERY}"
    first = await ask(app, path)
    tag = first.headers["etag"]

    assert 304 == (await ask(app, path, **{"If-None-Match": tag})).status_code
    assert 200 == (await ask(app, f"{path}&model=m", **{"If-None-Match": tag})).status_code
    assert tag.startswith('"1')


async def test_what_is_stored_later_of_a_past_time_is_told(app: Any, past: PanelRig) -> None:  # noqa: ANN401 -- ASGI
    of_a_past = f"?from={END_MS // 1000 - 900}&to={END_MS // 1000 - 180}&endpoint=late"
    first, second = records(END_MS, "late")[-250:-150:50]  # one in fifty fails
    past.writer.insert_samples(beats(END_MS, "late"), "beats of late")
    past.stored.insert("node/late", [first])
    path = f"/v1/panels/fleet.bad.json{of_a_past}"
    tag = (await ask(app, path)).headers["etag"]
    again = await ask(app, path, **{"If-None-Match": tag})
    past.stored.insert("node/later", [second])
    later = await ask(app, path, **{"If-None-Match": tag})

    assert (304, b"") == (again.status_code, again.content)
    assert (200, True) == (later.status_code, later.headers["etag"] != tag)


async def test_the_engines_own_rows_have_a_tag_of_what_they_say(app: Any) -> None:  # noqa: ANN401 -- an ASGI application
    tag = (await ask(app, "/v1/panels/slo.list.json")).headers.get("etag", "")

    assert 304 == (await ask(app, "/v1/panels/slo.list.json", **{"If-None-Match": tag})).status_code


@pytest.fixture
def broken(past: PanelRig, tmp_path: Path) -> Any:  # noqa: ANN401 -- an ASGI application
    """Panels of which one asks the store what it does not know."""

    def nonsense(_asked: Asked, _pick: Pick) -> Question:
        return Question(sql="SELECT nothing")

    panels = [replace(one, ask=nonsense) if one.id == "fleet.bad" else one for one in PANELS]
    told = Told(tmp_path, seen(judged()))
    desk = PanelDesk(panels, past.reader, lambda _document, _asked: Documented(), lambda: END_MS)
    return application(
        replace(told.parts, panels=desk, hub=Hub(desk, lambda: END_MS)), hosts_of("127.0.0.1", 8200), "0.0.0"
    )


@pytest.mark.parametrize(
    ("query", "state", "statuses"),
    [
        pytest.param(QUERY, "error", (503, 200), id="the store refuses"),
        pytest.param("?from=now-60d&to=now-50d&tenant=t", "refused", (400, 400), id="nothing is kept"),
    ],
)
async def test_a_failure_is_not_held_on_to_and_is_no_empty_file(
    broken: Any,  # noqa: ANN401 -- an ASGI application
    query: str,
    state: str,
    statuses: tuple[int, int],
) -> None:
    told = await ask(broken, f"/v1/panels/fleet.bad.json{query}")
    table, sql = [await ask(broken, f"/v1/panels/fleet.bad.{form}{query}") for form in ("csv", "sql")]

    assert (200, state, False) == (told.status_code, told.json()["state"], "etag" in told.headers)
    assert statuses == (table.status_code, sql.status_code)
    assert "application/problem+json" == table.headers["content-type"]
    assert told.json()["error"]["detail"][:40] in table.json()["detail"]
    assert sql.text.startswith(("SELECT nothing", "{"))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/v1/panels/fleet.no.json", 404, id="no panel"),
        pytest.param("/v1/panels/fleet.bad.xml", 404, id="no form"),
        pytest.param("/v1/panels/slo.list.sql", 404, id="a panel without a statement"),
        pytest.param("/v1/panels/fleet.bad.json?color=red", 400, id="an unknown parameter"),
        pytest.param("/v1/panels/fleet.bad.json?from=yesterday", 400, id="a time that is none"),
        pytest.param("/v1/panels/fleet.bad.json?from=now-60d&step=1", 400, id="too many steps"),
        pytest.param("/v1/panels/fleet.bad.json?step=0", 400, id="no step"),
        pytest.param("/v1/panels?x=1", 400, id="an unknown parameter of the list"),
    ],
)
async def test_what_is_no_question_is_a_problem(app: Any, path: str, status: int) -> None:  # noqa: ANN401 -- ASGI
    answer = await ask(app, path)

    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]


async def test_without_the_store_the_engine_still_answers(tmp_path: Path) -> None:
    told = Told(tmp_path, seen(judged()))
    gone = await told.ask("GET", "/v1/panels/fleet.bad.json")

    assert 503 == gone.status_code
    assert "5" == gone.headers["retry-after"]
    assert "chat" == (await told.said("GET", "/v1/panels/slo.list.json"))["rows"][0][0]
