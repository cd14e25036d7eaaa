"""Knows which names from the wire may become labels; refuses to let a client invent them.

A model is known by configuration, or because this endpoint once answered a request for it with 2xx; anything else is
`unknown`. Engines that ignore the name answer 2xx to any, so what is learnt is bounded.

The combinations of dimensions are bounded as well, for each costs a row per second in the roll-ups: beyond the bound a
new one loses its variant, then its region, then its model. A combination is active until the end of the UTC day.

Source: spec/store.md 6, spec/measurement.md 15 T7 (litellm PR 39136: misspelt models leaked series).
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

_MODELS_MAX = 64
"""Most models learnt from successful answers, beyond the configured ones."""
_REPLICAS_MAX = 256
"""Most upstream addresses of an endpoint."""
_LABEL_CHARS_MAX = 128
"""Longest label."""
_COMBINATIONS_MAX = 2000
"""Most combinations of dimensions on one day."""
_ROOM = (("", 1900), ("variant", 1960), ("region", 1990), ("model", _COMBINATIONS_MAX))
"""What a new combination loses, one after the other, and how many there may be for it to stop there."""

UNKNOWN = "unknown"
"""A model that is neither configured nor learnt."""
OTHER = "other"
"""A name beyond the bound."""
FOLDED = ("model", "region", "replica", "variant")
"""Dimensions whose names may be replaced."""


class Dims(NamedTuple):
    """The key of a row in the roll-ups."""

    endpoint: str
    model: str
    region: str
    workload_class: str
    variant: str
    traffic: str


def sanitised(name: str) -> str:
    """Return the name with every character that is not printable replaced by `?`, cut at the longest label."""
    name = name[:_LABEL_CHARS_MAX]
    return name if name.isprintable() else "".join(char if char.isprintable() else "?" for char in name)


class Labels:
    """The names of one endpoint that may become labels.

    Attributes:
        folded: How often a name was replaced by `unknown` or `other`, by dimension.
    """

    def __init__(self, models: Iterable[str] = ()) -> None:
        self.folded: Counter[str] = Counter(dict.fromkeys(FOLDED, 0))
        self._configured = frozenset(sanitised(model) for model in models)
        self._learnt: set[str] = set()
        self._replicas: set[str] = set()
        self._active: set[Dims] = set()
        self._day = 0

    def model(self, name: str, *, http_status: int) -> str:
        """Return the label of a model; empty if the request named none.

        Args:
            name: As the request named it.
            http_status: Of the answer; a 2xx teaches the name.
        """
        label = sanitised(name)
        if not label or label in self._configured or label in self._learnt:
            return label
        if http_status // 100 != 2 or len(self._learnt) >= _MODELS_MAX:  # noqa: PLR2004 -- the class of success
            self.folded["model"] += 1
            return UNKNOWN
        self._learnt.add(label)
        return label

    def replica(self, address: str) -> str:
        """Return the label of an upstream address; empty if it is not known."""
        label = sanitised(address)
        if not label or label in self._replicas:
            return label
        if len(self._replicas) >= _REPLICAS_MAX:
            self.folded["replica"] += 1
            return OTHER
        self._replicas.add(label)
        return label

    def combination(self, dims: Dims, day: int) -> Dims:
        """Return the dimensions under which a row is kept.

        Subtle: what is all folded is kept even without room; configuration alone names what is left of it.

        Args:
            dims: Its dimensions, each of them a label already.
            day: Days since 1970 at which it ended, UTC.
        """
        if day != self._day:
            self._day = day
            self._active.clear()
        for dim, room in _ROOM:
            if dim:
                dims = dims._replace(**{dim: OTHER})
                self.folded[dim] += 1
            if dims in self._active or len(self._active) < room:
                break
        self._active.add(dims)
        return dims
