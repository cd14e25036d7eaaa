"""Everything is checked before anything starts, and a refused start leaves nothing behind."""

import socket
from pathlib import Path

import pytest

from inferometer import data_directory, plan
from inferometer.address import Address
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, UnreachableError


def free_ports(number: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(server.getsockname()[1]) for server in servers]
    for server in servers:
        server.close()
    return ports


def prepared(config: Config, **options: bool) -> plan.Plan:
    with plan.prepared(config, plan.Options(**options)) as made:
        return made


def elsewhere(root: Path, **store: str) -> Config:
    tee, serve, own = free_ports(3)
    keys = {"tee": {"port": tee}, "serve": {"port": serve}, "store": {"port": own, **store}}
    return Config.model_validate({"data": str(root / "d"), "target": {"url": "http://127.0.0.1:9"}, **keys})


def test_an_engine_that_does_not_answer_yet_is_no_obstacle(tmp_path: Path) -> None:
    made = prepared(elsewhere(tmp_path))

    assert (made.engine, made.endpoint) == (None, "127.0.0.1:9")
    assert made.store_url.startswith("http://127.0.0.1:")


def test_pages_are_served_with_the_metrics_of_an_observer_behind_them_beside_the_store(tmp_path: Path) -> None:
    tee, serve, _ = free_ports(3)
    keys = {"tee": {"port": tee}, "serve": {"port": serve}, "store": {"port": serve + 1}}
    config = Config.model_validate({"data": str(tmp_path / "d"), "target": {"url": "http://127.0.0.1:9"}, **keys})
    made = prepared(config)

    assert (made.serves, made.metrics.port) == (True, serve)
    assert made.observer.port > serve + 1


def test_who_only_collects_serves_no_pages(tmp_path: Path) -> None:
    made = prepared(elsewhere(tmp_path, url="http://h:8123"), embedded=False)

    assert not made.serves
    assert made.observer == made.metrics


def test_a_refused_start_gives_its_ports_back(tmp_path: Path) -> None:
    config = elsewhere(tmp_path)
    lock = data_directory.own(DataDirectory(root=tmp_path / "d"), started_at="then")

    with pytest.raises(ConfigurationError):
        prepared(config)
    lock.close()
    prepared(config)


def test_nobody_at_an_address_is_no_engine() -> None:
    assert plan.asked(Address(host="127.0.0.1", port=free_ports(1)[0])) is None


def test_an_unwritable_directory_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "d").touch()

    with pytest.raises(UnreachableError):
        prepared(elsewhere(tmp_path))
