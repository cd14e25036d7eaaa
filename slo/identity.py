"""Knows what makes two alerts the same: their labels, and no value, window, time or replica; refuses to know states.

Source: spec/slo.md 9 (identity labels, fingerprint); spec/store.md 2 (`fingerprint UInt64`).
"""

import hashlib
from collections.abc import Mapping

IDENTITY = ("alertname", "slo", "service", "endpoint", "model", "region", "workload_class", "severity")
"""Labels of every alert, as far as they are known; a rule may add fixed ones."""

_BYTES = 8


def identity_labels(known: Mapping[str, str], static: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that an alert is known by.

    Args:
        known: Anything that is known of it; what is no identity, and what is empty, is left out.
        static: Labels that its rule always has; they do not replace the identity.
    """
    own = {name: known[name] for name in IDENTITY if known.get(name)}
    return {**static, **own}


def fingerprint(labels: Mapping[str, str]) -> int:
    """Return 64 bits that are the same for the same labels, in whatever order, on every replica."""
    text = "".join(f"{len(part)}:{part}" for pair in sorted(labels.items()) for part in pair)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:_BYTES])
