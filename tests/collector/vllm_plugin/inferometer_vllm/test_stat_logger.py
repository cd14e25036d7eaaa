"""The class that vLLM makes, on what it sees of vLLM 0.32.0: whatever happens, nothing leaves a method of it."""

import logging
import os
from pathlib import Path
from random import Random

import pytest
from inferometer_vllm import stat_logger
from inferometer_vllm.stat_logger import SOCKET_VARIABLE, StatLogger
from plugin_requests import NOW_MS, finished
from vllm.config import ModelConfig, VllmConfig
from vllm.v1.metrics.loggers import StatLoggerBase
from vllm.v1.metrics.stats import FinishedRequestStats, IterationStats, SchedulerStats

from collector.labels import Labels
from collector.plugin_rows import PluginRows
from collector.plugin_socket import PluginSocket
from collector.rows import Dimensions

CONFIG = VllmConfig(model_config=ModelConfig(served_model_name="tiny"))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(SOCKET_VARIABLE, str(tmp_path / "plugin.sock"))
    return tmp_path / "plugin.sock"


def receiver(path: Path) -> PluginSocket:
    rows = PluginRows(Dimensions(endpoint="e"), Labels(), random=Random(1))  # noqa: S311 -- seeded
    return PluginSocket(path, rows)


def iteration(*rows: FinishedRequestStats) -> IterationStats:
    stats = IterationStats()
    stats.iteration_timestamp = NOW_MS / 1000
    stats.finished_requests = list(rows)
    return stats


def test_vllm_takes_it_for_a_logger_and_finished_requests_arrive(path: Path) -> None:
    logger = StatLogger(CONFIG, 2)
    with receiver(path) as heard:
        logger.log_engine_initialized()
        logger.record(SchedulerStats(), iteration(finished(0), finished(1)), mm_cache_stats=None, engine_idx=2)
        logger.record(SchedulerStats(), iteration(), None, 2)
        logger.record(None, None)
        logger.record_sleep_state(1, 1)
        logger.log()
        records = heard.records(NOW_MS)

    assert isinstance(logger, StatLoggerBase)
    assert [(record.tokens_in, record.model, record.replica) for record in records] == [
        (100, "tiny", "engine-2"),
        (101, "tiny", "engine-2"),
    ]


def test_a_receiver_may_come_late_be_killed_and_come_back(path: Path) -> None:
    logger = StatLogger(CONFIG)
    logger.record(None, iteration(finished(0)))
    with receiver(path) as heard:
        logger.record(None, None)
        first = heard.records(NOW_MS)
        logger.record(None, iteration(finished(1)))
        os.link(path, path.with_suffix(".left"))  # what closing removes stays, as after a kill
    os.rename(path.with_suffix(".left"), path)  # noqa: PTH104 -- a path is a text here
    logger.record(None, iteration(finished(2)))
    with receiver(path) as heard:
        logger.log()
        second = heard.records(NOW_MS)

    assert ([100], [102]) == ([one.tokens_in for one in first], [one.tokens_in for one in second])


def test_a_receiver_that_is_stuck_costs_rows_and_nothing_else(path: Path) -> None:
    logger, sent = StatLogger(CONFIG), 40_000
    with receiver(path) as heard:
        for _ in range(sent // 200):
            logger.record(None, iteration(*(finished(number) for number in range(200))))
        taken = len(heard.records(NOW_MS))
        while records := (logger.log(), heard.records(NOW_MS))[1]:
            taken += len(records)
        logger.record(None, iteration(finished()))
        heard.records(NOW_MS)

        assert heard.rows.taken == taken + 1
        assert heard.rows.lost == sent - taken > 0


def test_an_untested_version_gets_one_line_and_a_logger_that_does_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stat_logger, "vllm_version", "0.33.1.dev5+g0123")
    with caplog.at_level(logging.INFO), receiver(path) as heard:
        logger = StatLogger(CONFIG)
        logger.record(None, iteration(finished()), None, 0, "a new argument", newer=1)
        logger.log()

        assert heard.records(NOW_MS) == []
    assert [record.getMessage() for record in caplog.records] == [
        "inferometer: vLLM 0.33 is not among ('0.32',): no rows from this engine"
    ]


def test_without_a_path_it_says_so_and_does_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(SOCKET_VARIABLE, raising=False)
    StatLogger(CONFIG).record(None, iteration(finished()))

    assert [record.getMessage() for record in caplog.records] == [
        f"inferometer: {SOCKET_VARIABLE} is not set: no rows from this engine"
    ]


def test_a_configuration_without_a_model_name_is_said_not_raised(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    StatLogger(object()).record(None, iteration(finished()))  # type: ignore[arg-type]  # none of vLLM's

    assert "no rows from this engine" in caplog.text
    assert not path.exists()


def test_rows_that_cannot_be_packed_are_counted_and_said_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = finished()
    broken.num_prompt_tokens = -1
    with receiver(path) as heard:
        logger = StatLogger(CONFIG)
        for _ in range(3):
            logger.record(None, iteration(finished(), broken))
        logger.record(None, object())  # type: ignore[arg-type]  # likewise
        logger.record(None, iteration(finished()))

        assert (len(heard.records(NOW_MS)), heard.rows.lost) == (1, 6)
    assert caplog.text.count("rows cannot be sent") == 1


def test_a_method_that_a_later_vllm_asks_for_does_not_keep_the_engine_from_starting() -> None:
    assert not StatLogger.__abstractmethods__
