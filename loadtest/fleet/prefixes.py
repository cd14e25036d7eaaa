"""Knows which prompt beginnings one engine still holds; refuses to know when they are asked for.

Blocks that nobody uses stay until others need the room, least recently used first; the blocks of a request's own, that
nobody will ask for, wait in the same line, as in vLLM's free queue. A chunk of a prompt (`Wish.prefix_tokens` of it) is
held or not as a whole.

Source: spec/scaling.md 7 (prefix hits by hash_ids); vLLM, vllm/v1/core/block_pool.py (free_block_queue, touch) and
kv_cache_manager.py (get_computed_blocks: the last token is always computed).
"""

from loadtest.fleet.requests import Request


class Prefixes:
    """The chunks that an engine holds; sizes are whole blocks, in tokens."""

    __slots__ = ("_anonymous", "_block", "_free", "_held", "_idle", "_pins", "pinned", "shared")

    def __init__(self, block_tokens: int) -> None:
        """Start empty."""
        self.pinned = 0
        """Tokens of the chunks in use, each counted once."""
        self.shared = 0
        """The same, counted for each of their users."""
        self._block = block_tokens
        self._held: dict[int, list[int]] = {}  # chunk -> tokens, users
        self._idle: dict[int, int] = {}  # chunk nobody uses -> tokens, least recently used first
        self._free = 0  # tokens of those
        self._pins: dict[int, list[int]] = {}  # sequence -> chunks
        self._anonymous = 0

    @property
    def excess(self) -> int:
        """Tokens that users count more than once; what room there is beyond the cache's own size."""
        return self.shared - self.pinned

    def found(self, request: Request) -> tuple[int, int]:
        """Return the tokens of a request's beginning that are held, and those of them that nobody uses yet."""
        taken = idle = 0
        for chunk in self._known(request):
            taken += self._held[chunk][0]
            idle += self._idle.get(chunk, 0)
        return taken, idle

    def take(self, request: Request, sequence: int) -> None:
        """Use what is held of a request's beginning."""
        pins = self._pins[sequence] = list[int]()
        for chunk in self._known(request):
            self._pin(chunk, pins)

    def keep(self, request: Request, sequence: int) -> None:
        """Hold the rest of a request's beginning, which it has computed."""
        wish = request[3]
        pins = self._pins[sequence]
        size = self._size(request)
        if wish is None or not size:
            return
        for chunk in wish.prefix[len(pins) : request[1] // size]:
            if chunk in self._held:  # computed twice at the same time: this one stays its own
                break
            self._held[chunk] = [size, 0]
            self._idle[chunk] = size
            self._free += size
            self._pin(chunk, pins)

    def release(self, sequence: int, held: int) -> None:
        """Use a request's chunks no more.

        Args:
            sequence: The request.
            held: Tokens that it held in all; those of its own join the line.
        """
        pins = self._pins.pop(sequence)
        own = held - sum(self._held[chunk][0] for chunk in pins)
        if own > 0:  # as in vLLM its end is the first to go
            self._anonymous -= 1
            self._idle[self._anonymous] = -(-own // self._block) * self._block
            self._free += self._idle[self._anonymous]
        for chunk in reversed(pins):
            entry = self._held[chunk]
            entry[1] -= 1
            self.shared -= entry[0]
            if not entry[1]:
                self.pinned -= entry[0]
                self._free += entry[0]
                self._idle[chunk] = entry[0]

    def squeeze(self, room: int) -> None:
        """Drop what nobody uses, until it fits into so many tokens."""
        while self._idle and self._free > room:
            chunk = next(iter(self._idle))
            self._free -= self._idle.pop(chunk)
            self._held.pop(chunk, None)

    def _known(self, request: Request) -> list[int]:
        wish, size, known = request[3], self._size(request), list[int]()
        if wish is None or not size:
            return known
        for chunk in wish.prefix[: (request[1] - 1) // size]:
            if chunk not in self._held or self._held[chunk][0] != size:
                break
            known.append(chunk)
        return known

    def _size(self, request: Request) -> int:
        wish = request[3]
        return wish.prefix_tokens // self._block * self._block if wish is not None else 0

    def _pin(self, chunk: int, pins: list[int]) -> None:
        entry = self._held[chunk]
        if not entry[1]:
            self.pinned += entry[0]
            self._free -= self._idle.pop(chunk)
        entry[1] += 1
        self.shared += entry[0]
        pins.append(chunk)
