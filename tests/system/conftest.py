"""Fixtures of the system tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import Engine, answers, free_port, process, tool, wait_until


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    port, log = free_port(), tmp_path_factory.mktemp("vllm") / "log"
    with process("tools/vllm-cpu", "serve", str(port), "--enable-per-request-metrics", log=log):
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: answers(f"{url}/health"), "vLLM", wait_s=240)
        except AssertionError as fault:
            raise AssertionError(f"{fault}\n{log.read_text()[-4000:]}") from fault
        give_way()
        yield Engine(url)


def give_way() -> None:
    """Let vLLM's core and worker yield to its own API server.

    Both spin while they wait for each other (vllm/distributed/device_communicators/shm_broadcast.py). With a
    core for each that costs nobody; on two cores they starved the API server and the client for up to 0.8 s a request
    (measured, one request at a time, nothing else running), and no clock could be compared with another.
    """
    for task in Path("/proc").glob("[0-9]*/task/[0-9]*"):
        try:
            if (task / "comm").read_text().startswith("VLLM::"):
                os.setpriority(os.PRIO_PROCESS, int(task.name), 15)
        except OSError:
            continue  # it has ended meanwhile


@pytest.fixture(scope="session")
def promtool() -> str:
    return tool("promtool")
