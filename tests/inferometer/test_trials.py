"""What the API may try out, over a real store, real documents and a real receiver."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from receiver import receiver
from slo_samples import CHAT, QUICK

from inferometer import slo_history, trials
from inferometer.trials import beyond
from slo.api_reply import ProblemError
from slo.errors import ObjectiveError
from slo.past import lead_s
from slo.watched import Watched, watched
from telemetry.clock import wall_ms
from telemetry.errors import StoreError
from telemetry.schema.objectives import SLO_MINUTES
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

NOW_S = wall_ms() // 30_000 * 30


@pytest.fixture
def reader(process: StoreProcess) -> Iterator[Store]:
    client = process.store("reader")
    yield client
    client.close()


@pytest.fixture
def one(reader: Store) -> Watched:
    (objective,) = beyond(reader, "").policies(CHAT.replace("chat-good", "chat-trial") + "---\n" + QUICK)
    return watched(objective)


def test_the_history_of_objectives_is_what_is_stored(process: StoreProcess, reader: Store, one: Watched) -> None:
    values: dict[str, object] = {
        "t": NOW_S - 600, "slo": one.objective.name, "group_key": '{"endpoint":"trial"}',
        "definition_hash": one.definition_hash, "revision": 0, "eligible": 30, "good": 20, "bad": {}, "censored_bad": 0,
        "excluded": {}, "n_null": {}, "coverage": None, "computed_at": wall_ms(),
    }  # fmt: skip
    writer = process.store("writer")
    writer.insert_rows(SLO_MINUTES, [tuple(values[c.name] for c in SLO_MINUTES.insert_columns)], "trials")
    writer.close()
    pasts, notes = beyond(reader, "").history([one], NOW_S - 900, NOW_S)
    (past,) = [past for past in pasts if past.group == {"endpoint": "trial"}]

    assert [(known.start_s, known.eligible, known.bad) for known in past.counted] == [(NOW_S - 600, 30, 10)]
    assert notes == ()


@pytest.mark.parametrize(("of", "name"), [(slo_history, "BUCKETS_MAX"), (trials, "INSTANTS_MAX")])
def test_a_history_that_is_too_long_is_the_askers_fault(
    reader: Store, one: Watched, monkeypatch: pytest.MonkeyPatch, of: ModuleType, name: str
) -> None:
    monkeypatch.setattr(of, name, -1)
    with pytest.raises(ObjectiveError) as refused:
        beyond(reader, "").history([one], NOW_S - lead_s(one), NOW_S)

    assert refused.value.key == "from"


def test_a_store_that_is_gone_is_the_stores_fault(one: Watched) -> None:
    with pytest.raises(StoreError):
        beyond(Store("http://127.0.0.1:1", request_s=1), "").history([one], NOW_S - 900, NOW_S)


@pytest.mark.parametrize("text", ["{", "kind: Nothing", "apiVersion: openslo/v2alpha\nkind: SLO", "- 1"])
def test_documents_that_are_wrong_are_refused_with_their_line(reader: Store, text: str) -> None:
    with pytest.raises(ObjectiveError):
        beyond(reader, "").policies(text)


def test_a_channel_is_told_that_it_is_a_test(reader: Store, tmp_path: Path) -> None:
    with receiver() as heard:
        file = tmp_path / "channels.yaml"
        file.write_text(f"channels:\n- {{name: hook, kind: webhook, url: '{heard.url}', networks: [127.0.0.0/8]}}\n")
        rows = beyond(reader, str(file)).test("hook")

        assert rows is not None
        assert [(row["channel"], row["result"]) for row in rows] == [("hook", "sent")]
        assert beyond(reader, str(file)).test("no") is None
    assert [one.body["alerts"][0]["labels"]["alertname"] for one in heard.got] == ["InferometerTest"]
    assert beyond(reader, "").test("hook") is None
    file.write_text("channels: 7")
    with pytest.raises(ProblemError, match="the file of channels is not what it was"):
        beyond(reader, str(file)).test("hook")
