"""Ports that are free, taken, or open to others, and who holds them."""

import os
import socket
from pathlib import Path

from inferometer import data_directory
from inferometer.config_schema import Config, Serve, StoreKeys, Tee
from inferometer.data_directory import DataDirectory
from inferometer.doctor_finding import Level
from inferometer.doctor_ports import examine, holder


def config(tee: int | None = None) -> Config:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        free: list[int] = [sock.getsockname()[1] for sock in (one, two)]
    return Config(tee=Tee(port=tee or free[0]), serve=Serve(port=free[1]), store=StoreKeys(port=1))


def test_a_taken_port_is_told_with_its_holder_and_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        tee, serve, _ = examine(config(tee=port), DataDirectory(root=tmp_path))

    assert (tee.level, serve.level) == (Level.WARN, Level.OK)
    assert tee.finding.startswith(f"tee.port: port {port} of 127.0.0.1 is taken, held by process {os.getpid()} (")
    assert "--port auto" in tee.fix


def test_the_holder_is_found_for_ipv6_too_and_a_free_port_has_none(tmp_path: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        assert holder(port).startswith(f"process {os.getpid()} (")
    assert holder(port) == ""
    assert holder(port, tmp_path) == ""


def test_a_holder_that_we_may_not_look_at_is_nobody(tmp_path: Path) -> None:
    line = "   0: 0100007F:1FA4 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 777 1 0 100 0 0 10 0\n"
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text("head\n" + line)
    (tmp_path / "12" / "fd").mkdir(parents=True)
    (tmp_path / "12" / "fd" / "3").symlink_to("socket:[777]")  # but no name: it has ended meanwhile

    assert holder(0x1FA4, tmp_path) == ""

    (tmp_path / "12" / "comm").write_text("nginx\n")

    assert holder(0x1FA4, tmp_path) == "process 12 (nginx)"

    (tmp_path / "12" / "comm").write_bytes(
        b"caf\xc3\n"
    )  # the kernel cuts a name after 15 bytes, within a character too

    assert holder(0x1FA4, tmp_path) == "process 12 (caf\ufffd)"


def test_the_ports_of_a_running_supervisor_are_no_fault(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path / "d")
    lock = data_directory.own(data, started_at="then")
    (found,) = examine(config(), data)

    assert (found.level, found.finding) == (Level.OK, "taken by the supervisor that runs on this data directory")
    lock.close()


def test_an_address_that_others_reach_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    first, *_ = examine(Config(tee=Tee(bind="0.0.0.0")), DataDirectory(root=tmp_path))

    assert (first.level, first.exit_code) == (Level.ERROR, 2)
    assert "tee.bind" in first.finding
