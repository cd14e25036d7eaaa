"""Knows the moves that a script is made of: send, pause, wait, stall, close, reset.

Refuses to know sockets: a step calls the wire that it is played on. Every wait also ends when the peer ends, so a
script may go on and answer a client that has closed its sending side.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from telemetry.testing.wire import Gate, Script, Step, Wire

HEAD_END = b"\r\n\r\n"
"""What ends a request or response head."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes, all in one go."""

    data: bytes

    async def act(self, wire: Wire) -> None:
        """Send them."""
        await wire.send(self.data)


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for a while; reading goes on."""

    pause_s: float

    async def act(self, wire: Wire) -> None:
        """Rest."""
        await wire.rested(self.pause_s)


@dataclass(frozen=True, slots=True)
class AwaitBytes:
    """Wait until so many bytes have come since the connection began, or the peer ended."""

    total_bytes: int

    async def act(self, wire: Wire) -> None:
        """Wait."""
        await wire.received(self.total_bytes)


@dataclass(frozen=True, slots=True)
class AwaitToken:
    """Wait for a token (by default the end of a head) behind the last one waited for, or for the peer's end."""

    token: bytes = HEAD_END

    async def act(self, wire: Wire) -> None:
        """Wait."""
        await wire.matched(self.token)


@dataclass(frozen=True, slots=True)
class AwaitEnd:
    """Wait until the peer closed its sending side or reset."""

    async def act(self, wire: Wire) -> None:
        """Wait."""
        await wire.ended()


@dataclass(frozen=True, slots=True)
class Stall:
    """Do nothing until told; reading goes on."""

    gate: Gate

    async def act(self, wire: Wire) -> None:
        """Wait for the gate."""
        await wire.passed(self.gate)


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Send FIN and keep reading."""

    async def act(self, wire: Wire) -> None:
        """Shut the sending side."""
        wire.half_close()


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket; what the peer sends later meets a RST."""

    async def act(self, wire: Wire) -> None:
        """Close by FIN."""
        await wire.close(with_reset=False)


@dataclass(frozen=True, slots=True)
class Reset:
    """Send RST (SO_LINGER 0)."""

    async def act(self, wire: Wire) -> None:
        """Close by RST."""
        await wire.close(with_reset=True)


@dataclass(frozen=True, slots=True)
class ByRequestLine:
    """Play the script whose key equals the first received line (without its line end), else the other one."""

    scripts: Mapping[bytes, Script]
    otherwise: Script = ()

    async def act(self, wire: Wire) -> None:
        """Wait for the line, choose, play."""
        line = await wire.first_line()
        for step in self.scripts.get(line, self.otherwise):
            await step.act(wire)


def paced(data: bytes, piece_bytes: int, pause_s: float = 0.0) -> list[Step]:
    """Return the steps that send data in pieces of a size, with a pause after each (0: only a turn of the loop)."""
    pieces = (data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes))
    return [step for piece in pieces for step in (Send(piece), Pause(pause_s))]
