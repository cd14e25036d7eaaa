"""Knows where load may go: a target is this machine, or stands in the list of those that were allowed.

Refuses to look names up: whoever dials hands in the addresses that the name stands for, and all of them are judged.
A test of load against a machine that nobody meant to load is an attack, so the list is empty unless someone wrote it.

Source: spec/loadtest.md, safety; spec/reliability.md 12 (ranges that are denied to all, `telemetry.guard`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.errors import TargetError
from telemetry.fetch_error import FetchError
from telemetry.guard import ENGINE, Address, Place, is_allowed, place


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One endpoint under load.

    Attributes:
        place: Scheme, host and port.
        base: Path before `/v1`, without a slash at its end.
    """

    place: Place
    base: str

    @property
    def name(self) -> str:
        """Host and port, as they stand in the row."""
        return f"{self.place.host}:{self.place.port}"


def target(url: str) -> Target:
    """Read the URL of a target; a path that ends in `/v1`, as clients' base URLs do, may stand there.

    Raises:
        TargetError: It is no URL of this form, or leads where nobody may ask.
    """
    try:
        found = place(url, ENGINE)
    except FetchError as error:
        raise TargetError(f"found {url!r}: {error}; allowed: http://HOST:PORT or https://HOST:PORT") from None
    return Target(place=found, base=found.path.rstrip("/").removesuffix("/v1"))


def must_be_allowed(where: Target, addresses: Sequence[Address], allowed: Sequence[str]) -> None:
    """Judge a target by all addresses that its name stands for.

    Args:
        where: The target.
        addresses: At least one.
        allowed: Hosts, or HOST:PORT, that may be loaded beside this machine.

    Raises:
        TargetError: It may not be loaded.
    """
    if addresses and all(address.is_loopback for address in addresses):
        return
    if where.place.host not in allowed and where.name not in allowed:
        raise TargetError(f"{where.name} is not this machine; to load it, name it in load.allowed_targets")
    if not addresses or not all(is_allowed(address, ENGINE) for address in addresses):
        raise TargetError(f"{where.name} leads to an address that may not be asked")
