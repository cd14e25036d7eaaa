"""Knows how Kubernetes writes a number, for values in thousandths; refuses units beyond those.

Source: k8s.io/apimachinery pkg/api/resource/quantity.go (grammar; `m` is a thousandth).
"""

import math
from fractions import Fraction


def quantity(value: float) -> str:
    """Return a number as a Quantity: whole as it is, else in thousandths, rounded up so that nothing is lost.

    Args:
        value: Finite.
    """
    thousandths = math.ceil(Fraction(str(value)) * 1_000)  # of what the number says, not of its nearest double
    return str(thousandths // 1_000) if thousandths % 1_000 == 0 else f"{thousandths}m"
