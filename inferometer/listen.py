"""Knows how to take a port, and how to say that it is taken; refuses to know who will accept on it.

Source: spec/reliability.md 4.1 (held socket, backlog) and 10 (binds); design.md (`--port auto`).
"""

import socket
from errno import EACCES, EADDRINUSE

from inferometer.address import Address, is_loopback
from inferometer.defaults import BACKLOG, PORT_TRIES_MAX
from inferometer.errors import ConfigurationError, UnreachableError


def hold(address: Address, key: str, *, auto: bool = False) -> socket.socket:
    """Bind and listen, so that the kernel takes connections from now on, whoever accepts them.

    Args:
        address: Where to listen.
        key: Configuration key of the port, for the message.
        auto: Take the next free port if this one is taken.

    Raises:
        UnreachableError: The port is taken or may not be used.
        ConfigurationError: The address is none of this machine's.
    """
    last = min(address.port + PORT_TRIES_MAX, 65536) if auto else address.port + 1
    for port in range(address.port, last):
        listener = _bound(Address(host=address.host, port=port), key, must=port == last - 1)
        if listener:
            listener.listen(BACKLOG)
            return listener
    raise AssertionError("the last port either binds or raises")


def free_port(address: Address, key: str, *, auto: bool = False) -> int:
    """Return a port that a child may bind in a moment: the one asked for, or with `auto` the next free one.

    Raises:
        UnreachableError: The port is taken or may not be used.
    """
    with hold(address, key, auto=auto) as listener:
        return int(listener.getsockname()[1])


def refuse_open_bind(host: str, key: str, *, insecure: bool) -> None:
    """Refuse an address that other machines reach, unless that was asked for in so many words.

    Raises:
        ConfigurationError: The address is not a loopback one.
    """
    if not insecure and not is_loopback(host):
        raise ConfigurationError(
            f"{key}: found {host!r}, which other machines reach without authentication or TLS; "
            "allowed: 127.0.0.1, or say --insecure-bind"
        )


def _bound(address: Address, key: str, *, must: bool) -> socket.socket | None:
    try:
        family, kind, proto, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):  # UnicodeError: an empty or overlong label
        raise ConfigurationError(
            f"{key.rsplit('.', 1)[0]}.bind: found {address.host!r}; allowed: an address of this machine"
        ) from None
    listener = socket.socket(family, kind, proto)
    try:
        # Without it a restart would wait for the connections of the last run to leave TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
    except OSError as error:
        listener.close()
        if must:
            raise _refusal(error, address, key) from None
        return None
    return listener


def _refusal(error: OSError, address: Address, key: str) -> Exception:
    if error.errno == EADDRINUSE:
        return UnreachableError(
            f"{key}: port {address.port} of {address.host} is taken; free it, choose another, or say --port auto"
        )
    if error.errno == EACCES:
        return UnreachableError(f"{key}: port {address.port} may not be used by this user; choose one above 1023")
    return ConfigurationError(
        f"{key.rsplit('.', 1)[0]}.bind: found {address.host!r}; allowed: an address of this machine"
    )
