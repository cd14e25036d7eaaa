"""Fixtures of the system tests."""

from collections.abc import Iterator

import pytest
from rig import Engine, tool, vllm_engine


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with vllm_engine(tmp_path_factory.mktemp("vllm") / "log") as engine:
        yield engine


@pytest.fixture(scope="session")
def promtool() -> str:
    return tool("promtool")
