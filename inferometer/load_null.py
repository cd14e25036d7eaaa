"""Knows how the null server is run as a verb; refuses to answer anything.

Source: spec/loadtest.md 17.
"""

from collections.abc import Sequence

from inferometer.errors import ConfigurationError, UnreachableError
from loadtest.null_script import shape_of
from loadtest.nullserver import run


def serve(words: Sequence[str], port: int) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        words: How it answers, KEY=VALUE.
        port: TCP port, 0 for any free one.

    Raises:
        ConfigurationError: A word is wrong.
        UnreachableError: The port is taken.
    """
    try:
        shape = shape_of(list(words))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    try:
        run(shape, port)
    except OSError as error:
        raise UnreachableError(f"port {port}: {error.strerror}") from None
    return 0
