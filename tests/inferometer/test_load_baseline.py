"""A baseline from kept runs to a gate, on a real store."""

import json
from pathlib import Path

import msgspec
import pytest
from load_runs import kept_run, plan, rows

from inferometer import load_book, load_kept, load_ship
from inferometer.__main__ import outcome
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.load_baseline import (
    NAME_CHARACTERS_MAX,
    OTHERS_MAX,
    newest,
    one,
    promote,
    runs_of,
    save,
    show_one,
    standing,
)
from inferometer.reading import source
from loadtest.baseline import Key, config_hash
from loadtest.conductor import Halt
from telemetry.clock import wall_ms
from telemetry.load_records import LoadStep
from telemetry.queries.told import acts as acts_of
from telemetry.testing.store_process import StoreProcess

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def config(process: StoreProcess) -> Config:
    """Return a data directory with a store, and with three runs that make a baseline and some that do not."""
    runs = process.data / "runs"
    for at in (1, 2, 3):
        kept_run(runs, f"base{at}", rows(1))
    kept_run(runs, "unfit", rows(1), lag_us=50_000.0)
    kept_run(runs, "cut", rows(1), halt=Halt.INTERRUPTED)
    kept_run(runs, "slow", rows(5, slower=1.5))
    return Config(data=str(process.data))


def test_a_baseline_is_saved_promoted_listed_shown_and_gated(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    data = ["--data", str(config.data)]
    gate = ["load", "gate", "slow", "--against", "v1", *data]
    assert 0 == outcome(["load", "baseline", "save", "v1", "base1", "base2", "base3", *data])
    assert 4 == outcome(gate)
    assert "not promoted" in capsys.readouterr().err
    assert 0 == outcome(["load", "baseline", "promote", "v1", "--reason", "release 1", *data])
    assert 3 == outcome(gate)
    capsys.readouterr()
    assert 0 == outcome(["load", "baseline", "list", "--output", "json", *data])
    (listed,) = [
        told for line in capsys.readouterr().out.splitlines() if (told := json.loads(line))["baseline"] == "v1"
    ]
    assert ("active", 3, "release 1") == (listed["state"], listed["runs"], listed["reason"])
    assert 0 == outcome(["load", "baseline", "show", "v1", "--output", "json", *data])
    shown = json.loads(capsys.readouterr().out)
    assert ("vllm", "base1, base2, base3") == (shown["engine"], shown["run_ids"])
    assert 0 == outcome(["load", "baseline", "show", "v1", *data])
    assert "tensor_parallel" in capsys.readouterr().out
    state = one(config, "v1")
    assert listed["key"] == config_hash(msgspec.json.decode(state.key_json, type=Key))[:12]
    assert (450, 1.25) == (sum(state.ttft_h.values()), state.goodput_per_s)  # 150 answers of each run in 120 s


def test_what_the_store_knows_of_its_runs_is_shown_and_it_is_found_by_its_key(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == save(config, "newest", ["base1", "base2", "base3"])
    assert 0 == promote(config, "newest", "later than all others")
    load_ship.keep(config, "of-newest", [phase(run_id) for run_id in ("base1", "base2")])
    capsys.readouterr()
    assert 0 == show_one(config, "newest", "json")
    shown = json.loads(capsys.readouterr().out)
    assert "7 of 9 requests good, 8 answered" == shown["run base1"]
    assert "base" not in shown["other runs of this key"]  # the store is shared with other tests

    acts = [(act["action"], json.loads(str(act["after"]))["reason"]) for act in stored_acts(config, "newest")]
    assert [("baseline.promote", "later than all others"), ("baseline.save", "")] == sorted(acts)  # of one second maybe
    assert 3 == outcome(["load", "gate", "slow", "--data", str(config.data)])
    assert "against newest, the newest promoted baseline of this key" in capsys.readouterr().err


def stored_acts(config: Config, name: str) -> list[dict[str, object]]:
    """Return what the store was told of a baseline, newest first."""
    now_ms = wall_ms()
    return [act for act in source(config).rows(acts_of(now_ms - DAY_MS, now_ms + 1)) if act["object"] == name]


def phase(run_id: str) -> LoadStep:
    """Return the measured part of a run."""
    now_ms = wall_ms()
    return LoadStep(
        run_id=run_id, step=0, kind="measured", mode="open", started_at=now_ms, ended_at=now_ms, offered=9, completed=8,
        good=7,
    )  # fmt: skip


def test_without_a_store_a_baseline_is_kept_and_gated_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, own = tmp_path / "runs", Config(data=str(tmp_path))
    found = [kept_run(runs, f"base{at}", rows(1)) for at in (1, 2, 3)]
    assert 0 == save(own, "alone", [str(path) for path in found])
    with pytest.raises(ConfigurationError, match=r"no promoted baseline of this key in .*\.jsonl only"):
        newest(own, load_kept.kept(found[0]))
    assert not standing(own, load_kept.kept(found[0]).key)
    assert 0 == promote(own, "alone", "it is")
    assert "alone" == newest(own, load_kept.kept(found[0]))
    assert "alone" == standing(own, load_kept.kept(found[0]).key)
    assert ["base1", "base2", "base3"] == [run.run_id for run in runs_of(own, "alone")[0]]
    assert 0 == show_one(own, "alone", "json")
    assert "other runs" not in capsys.readouterr().out
    found[0].rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match=r"runs of baseline alone are not in .*no store runs"):
        runs_of(own, "alone")


def test_a_baseline_of_the_same_plan_is_preferred_to_a_newer_one(tmp_path: Path) -> None:
    runs, own = tmp_path / "runs", Config(data=str(tmp_path))
    for name, seed in (("a", 7), ("b", 8)):
        names = [kept_run(runs, f"{name}{at}", rows(1), spec=plan(seed=seed)).name for at in (1, 2, 3)]
        assert 0 == save(own, name, names)
        assert 0 == promote(own, name, "it is")
    one_of = {name: load_kept.kept(runs / f"{name}1") for name in ("a", "b")}
    assert one_of["a"].key == one_of["b"].key

    assert ["a", "b"] == [newest(own, run) for run in one_of.values()]
    for at in (1, 2, 3):
        (runs / f"a{at}" / "run.json").write_text("{}")
    assert "b" == newest(own, one_of["a"])  # nobody knows the plan of a


def test_very_many_runs_of_a_key_are_not_all_shown() -> None:
    assert 0 < OTHERS_MAX < 100


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["base1", "base2"], "2 runs"),
        (["base1", "base2", "unfit"], "not proven fit"),
        (["base1", "base2", "cut"], "not proven fit"),
        (["base1", "base2", "slow"], "unstable environment"),
    ],
)
def test_runs_that_make_no_baseline_are_not_saved(
    config: Config, names: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 4 == save(config, "bad", names)
    assert why in capsys.readouterr().err
    assert () == load_book.book(config, ["bad"]).states


def test_a_baseline_never_changes(config: Config) -> None:
    assert 0 == save(config, "fixed", ["base1", "base2", "base3"])

    with pytest.raises(ConfigurationError, match="never changes"):
        save(config, "fixed", ["base1", "base2", "base3"])


@pytest.mark.parametrize("name", ["", "x" * (NAME_CHARACTERS_MAX + 1), "a\nb"])
def test_what_is_no_name_is_refused(config: Config, name: str) -> None:
    with pytest.raises(ConfigurationError, match="1 to 64 printable"):
        save(config, name, ["base1"])


def test_what_is_not_there_or_has_no_reason_is_refused(config: Config) -> None:
    with pytest.raises(ConfigurationError, match="no baseline none"):
        runs_of(config, "none")
    with pytest.raises(ConfigurationError, match="--reason"):
        promote(config, "none", " ")
    assert 0 == save(config, "y" * NAME_CHARACTERS_MAX, ["base1", "base2", "base3"])


@pytest.mark.parametrize(
    ("days", "verdicts", "said"), [(29, [], ""), (31, [], "31 days old: make"), (91, ["91 days old, allowed: 90"], "")]
)
def test_an_old_baseline_warns_and_a_very_old_one_gives_no_verdict(
    config: Config, days: int, verdicts: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, at_ms = f"old{days}", wall_ms() - days * DAY_MS
    assert 0 == save(config, "now" + name, ["base1", "base2", "base3"])
    capsys.readouterr()
    state = one(config, "now" + name)
    load_book.add(
        config, msgspec.structs.replace(state, baseline_id=name, first_unix_ms=at_ms, last_unix_ms=at_ms, active=True)
    )
    found, known = runs_of(config, name)

    assert ["base1", "base2", "base3"] == [run.run_id for run in found]
    assert verdicts == [case.message for case in known]
    assert said in capsys.readouterr().err
