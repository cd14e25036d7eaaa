"""Knows how to decode a content coding piece by piece, on a copy of the body; refuses to know what the body says.

A feed gives at most 10 times its input and 1 MiB; what would give more, is cut short, damaged or coded in another way
is opaque from then on: it is still timed, but no longer read.

Source: spec/measurement.md 4 (Content-Encoding), spec/reliability.md 4.4 (decompression); RFC 9110 8.4.1, where
`deflate` is the zlib format, and its note that some servers send bare deflate data; RFC 1952 2.2 (gzip members).
"""

import zlib
from typing import Any, Protocol, cast

import brotli

_OUTPUT_RATIO_MAX = 10
"""Largest output of one feed, as a multiple of its input, beyond `_OUTPUT_BYTES_MAX`."""
_OUTPUT_BYTES_MAX = 1024 * 1024
"""Output that any feed may give, however small its input."""

_BROTLI = cast("Any", brotli)  # It ships no types.
_GZIP = 16 + zlib.MAX_WBITS
_BARE = -zlib.MAX_WBITS
_DEFLATE_METHOD = 8
_CHECK_MODULUS = 31


class Decoder(Protocol):
    """Decodes one body."""

    @property
    def opaque(self) -> bool:
        """Whether the rest of the body cannot be decoded."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the body and return what they decode to; empty once opaque."""
        ...


def decoder(coding: bytes | None) -> Decoder | None:
    """Return a decoder for the value of a `Content-Encoding` header; None if the body is not coded."""
    name = (coding or b"").strip().lower()
    if name in {b"", b"identity"}:
        return None
    if name in {b"gzip", b"x-gzip"}:
        return _Zlib(_GZIP)
    if name == b"deflate":
        return _Deflate()
    return _Brotli() if name == b"br" else _Opaque()


def _room_bytes(data: bytes) -> int:
    return _OUTPUT_RATIO_MAX * len(data) + _OUTPUT_BYTES_MAX


class _Opaque:
    """A coding that we cannot decode."""

    opaque = True

    def feed(self, data: bytes) -> bytes:  # noqa: ARG002 -- the interface of a decoder
        return b""


class _Zlib:
    """A sequence of zlib streams; what follows the first one and is no further one is ignored, as gzip itself does."""

    def __init__(self, wbits: int) -> None:
        self.opaque = False
        self._wbits = wbits
        self._stream = zlib.decompressobj(wbits)
        self._is_first = True
        self._is_over = False

    def feed(self, data: bytes) -> bytes:
        room = _room_bytes(data)
        parts: list[bytes] = []
        while data and not self.opaque and not self._is_over:
            part = self._inflated(data, room)
            room -= len(part)
            parts.append(part)
            if room <= 0:
                self.opaque = True
            data = self._stream.unused_data
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _inflated(self, data: bytes, room: int) -> bytes:
        if self._stream.eof:
            self._stream = zlib.decompressobj(self._wbits)
            self._is_first = False
        try:
            return self._stream.decompress(data, room)
        except zlib.error:
            self.opaque, self._is_over = self._is_first, True
            return b""


class _Deflate:
    """A zlib stream, or bare deflate data: the first two bytes tell (RFC 1950 2.2)."""

    def __init__(self) -> None:
        self._stream: _Zlib | None = None
        self._head = b""

    @property
    def opaque(self) -> bool:
        return self._stream is not None and self._stream.opaque

    def feed(self, data: bytes) -> bytes:
        if self._stream is None:
            self._head += data
            if len(self._head) < 2:  # noqa: PLR2004 -- CMF and FLG
                return b""
            data, self._head = self._head, b""
            method, check = data[0] & 0xF, int.from_bytes(data[:2], "big")
            is_zlib = method == _DEFLATE_METHOD and check % _CHECK_MODULUS == 0
            self._stream = _Zlib(zlib.MAX_WBITS if is_zlib else _BARE)
        return self._stream.feed(data)


class _Brotli:
    """A brotli stream; bytes after its end make the feed that brings them opaque."""

    def __init__(self) -> None:
        self.opaque = False
        self._stream = _BROTLI.Decompressor()

    def feed(self, data: bytes) -> bytes:
        if self.opaque or self._stream.is_finished():
            return b""
        try:
            part: bytes = self._stream.process(data, output_buffer_limit=_room_bytes(data))
        except _BROTLI.error:
            self.opaque = True
            return b""
        self.opaque = not self._stream.is_finished() and not self._stream.can_accept_more_data()
        return part
