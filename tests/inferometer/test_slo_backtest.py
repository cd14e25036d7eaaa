"""`slo backtest` over counts in a real store: what is printed, and with which exit code."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from slo_samples import CHAT, QUICK

from inferometer import slo_backtest, slo_history
from inferometer.__main__ import outcome
from inferometer.slo_files import loaded
from slo.objective import definition_hash
from telemetry.clock import wall_ms
from telemetry.schema.objectives import SLO_MINUTES
from telemetry.testing.store_process import StoreProcess

NOW_S = wall_ms() // 30_000 * 30
SINCE_S = NOW_S - 3_600
BAD = range(SINCE_S + 1_200, SINCE_S + 2_400)
"""Seconds in which nothing succeeds."""


def time(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slo").mkdir()
    (tmp_path / "slo/a.yaml").write_text(CHAT)
    (tmp_path / "slo/b.yaml").write_text(QUICK)
    return tmp_path


def minutes(slo: str, of: int) -> list[tuple[object, ...]]:
    """Six hours of counts, the last of them with twenty minutes in which nothing succeeds; one bucket is revised."""
    rows: list[tuple[object, ...]] = []
    for t in range(SINCE_S - 5 * 3_600, NOW_S, 30):
        good = 0 if t in BAD else 30
        for revision, eligible in [(0, 30), *([(t + 90, 31)] if t == SINCE_S else [])]:
            values: dict[str, object] = {
                "t": t, "slo": slo, "group_key": '{"endpoint":"chat"}', "definition_hash": of, "revision": revision,
                "eligible": eligible, "good": good, "bad": {}, "censored_bad": 0, "excluded": {}, "n_null": {},
                "coverage": None, "computed_at": wall_ms(),
            }  # fmt: skip
            rows.append(tuple(values[column.name] for column in SLO_MINUTES.insert_columns))
    return rows


@pytest.fixture(scope="module")
def counted(process: StoreProcess, tmp_path_factory: pytest.TempPathFactory) -> StoreProcess:
    folder = tmp_path_factory.mktemp("written")
    (folder / "a.yaml").write_text(CHAT)
    (folder / "b.yaml").write_text(QUICK)
    (objective,) = loaded([folder]).objectives
    writer = process.store("writer")
    writer.insert_rows(SLO_MINUTES, minutes("chat-good", definition_hash(objective)), "backtest-a")
    writer.insert_rows(SLO_MINUTES, minutes("chat-old", 7), "backtest-b")
    writer.close()
    return process


def said(process: StoreProcess, words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = outcome(["slo", "backtest", *words, "--data", str(process.data)])
    out, err = capsys.readouterr()
    return code, out, err


def test_pages_of_stored_counts_are_listed(
    counted: StoreProcess, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "i.csv").write_text(f"start,end,service,label\n{time(BAD.start)},{time(BAD.stop)},chat,down\n")
    words = ["--from", time(SINCE_S), "--to", time(NOW_S), "--policy", "slo", "--incidents", "i.csv"]
    words += ["--output", "json"]
    code, out, err = said(counted, words, capsys)
    found = json.loads(out)
    page = found["alarms"][0]

    assert (code, err) == (0, "")
    assert (page["severity"], page["slo"], page["group"]) == ("page", "chat-good", {"endpoint": "chat"})
    assert (found["precision_ratio"], found["recall_ratio"]) == (1.0, 1.0)
    assert 60 <= found["detect_s"] <= 120
    assert [left <= 1 for _, left in found["budget"][0]["remaining"]] == [True], "one whole hour"
    assert said(counted, words, capsys)[1] == out, "slo.md A18: the same bytes"


def test_a_table_lists_pages_and_then_the_figures(
    counted: StoreProcess, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(counted, ["--from", "1h", "--policy", "slo"], capsys)

    assert files.exists()
    assert code == 0
    assert "pages_per_week" in out
    code, out, _ = said(counted, ["--from", "1h", "--policy", "slo", "--output", "csv"], capsys)
    assert out.startswith("start,end,severity,slo,group,alert,rule,burn,gates\n")


def test_counts_of_another_definition_are_what_if(
    counted: StoreProcess, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "slo/a.yaml").write_text(CHAT.replace("chat-good", "chat-old"))
    code, _, err = said(counted, ["--from", "1h", "--policy", "slo"], capsys)

    assert (code, err) == (0, "inferometer: warning: chat-old: its counts are of another definition (7): what-if\n")


def test_nothing_to_go_on_is_no_answer(counted: StoreProcess, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "slo/a.yaml").write_text(CHAT.replace("chat-good", "chat-none"))
    code, out, err = said(counted, ["--from", "1h", "--policy", "slo"], capsys)

    assert (code, out) == (slo_backtest.EXIT_INCONCLUSIVE, "")
    assert err.splitlines()[0] == "inferometer: warning: chat-none: nothing was counted"


def test_too_much_is_refused(
    counted: StoreProcess, files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert slo_history.BUCKETS_MAX == 4_000_000
    monkeypatch.setattr(slo_history, "BUCKETS_MAX", 721)
    assert files.exists()
    assert said(counted, ["--from", "1h", "--policy", "slo"], capsys)[0] == 0
    monkeypatch.setattr(slo_history, "BUCKETS_MAX", 720)

    assert said(counted, ["--from", "1h", "--policy", "slo"], capsys) == (
        2, "", "inferometer: --from: more than 720 stored counts; allowed: a shorter time\n",
    )  # fmt: skip


def test_a_large_history_is_read_in_parts(
    counted: StoreProcess, files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--from", "1h", "--to", "now", "--policy", "slo", "--output", "json"]
    whole = json.loads(said(counted, words, capsys)[1])["alarms"]
    monkeypatch.setattr(slo_history, "_ROWS_AT_ONCE", 100)

    assert files.exists()
    assert json.loads(said(counted, words, capsys)[1])["alarms"] == whole


def test_the_objectives_of_the_configuration_are_taken_if_none_are_named(
    counted: StoreProcess, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(counted, ["--from", "1h"], capsys)
    assert (code, err) == (
        2, "inferometer: --policy: found nothing; allowed: SLO files, here or as slo.objectives\n",
    )  # fmt: skip
    (files / "c.yaml").write_text(f"slo: {{objectives: [{files / 'slo'}]}}\n")
    words = ["--from", "1h", "--output", "csv"]

    assert (
        said(counted, [*words, "--config", "c.yaml"], capsys)[1]
        == said(counted, [*words, "--policy", "slo"], capsys)[1]
    )


def test_a_wrong_word_is_told(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = outcome(["slo", "backtest", "--from", "1h", "--to", "2h", "--policy", "slo"])

    assert files.exists()
    assert (code, capsys.readouterr().err) == (
        2, "inferometer: --from: found '1h', which is not before --to '2h'\n",
    )  # fmt: skip
