"""Knows what has to be right before anything starts, and takes the ports and the data directory; refuses to start it.

Source: spec/ui.md 1 (first run), spec/reliability.md 10 (binds); design.md (exit codes).
"""

import contextlib
import re
import socket
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec

from inferometer import data_directory, hints_faces, store_lock
from inferometer.address import Address, target_address
from inferometer.config import secret
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.defaults import LOOPBACK, TARGET_PORTS
from inferometer.engine import asked
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.listen import free_port, hold, refuse_open_bind
from probes.detect import Detected
from telemetry.clock import wall_ms

_NODE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was typed, beyond the configuration.

    Attributes:
        port_auto: Take the next free port where one is taken.
        insecure_bind: Allow addresses that other machines reach.
        embedded: Run the embedded store if no store URL is set.
    """

    port_auto: bool = False
    insecure_bind: bool = False
    embedded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is going to run, every check passed and every port taken.

    Attributes:
        config: The configuration.
        target: The engine.
        data: The data directory.
        node: Name of this machine in spool and rows.
        listener: The tee's listening socket.
        metrics: Where our own pages are.
        observer: Where the observer's own metrics page is; the same, unless another process serves the pages.
        serves: Whether pages and API are served: always by who watches alone, else where something is evaluated.
        store: The embedded store's address; None with a store URL.
        engine: What answered at the target; None if nobody did.
    """

    config: Config
    target: Address
    data: DataDirectory
    node: str
    listener: socket.socket
    metrics: Address
    observer: Address
    serves: bool
    store: Address | None
    engine: Detected | None

    @property
    def tee(self) -> Address:
        """Where clients go."""
        return Address(host=self.config.tee.bind, port=int(self.listener.getsockname()[1]))

    @property
    def endpoint(self) -> str:
        """The name that rows carry."""
        return self.config.target.endpoint or str(self.target)

    @property
    def store_url(self) -> str:
        """Where rows go."""
        return self.store.url if self.store else self.config.store.url or ""


@contextlib.contextmanager
def prepared(config: Config, options: Options) -> Generator[Plan]:
    """Check everything, then take the ports and the data directory for as long as the context lasts.

    Raises:
        ConfigurationError: The configuration cannot work, or another process owns the data directory.
        UnreachableError: A port is taken, or the data directory cannot be written.
    """
    target = _target(config)
    for host, key in ((config.tee.bind, "tee.bind"), (config.serve.bind, "serve.bind")):
        refuse_open_bind(host, key, insecure=options.insecure_bind)
    hints_faces.faces(config.serve, insecure_bind=options.insecure_bind)
    embedded = _embedded(config, options)
    data = data_directory.resolve(config.data)
    data_directory.refuse_unusable(data)
    if embedded:
        store_lock.refuse_owned(data.root)
        store_lock.refuse_unwritable(data.root)
    secret(config.store.password, config.store.password_file, "store.password")
    auto = options.port_auto
    with contextlib.ExitStack() as held:
        listener = hold(Address(host=config.tee.bind, port=config.tee.port), "tee.port", auto=auto)
        held.callback(listener.close)
        metrics = _free(Address(host=config.serve.bind, port=config.serve.port), "serve.port", auto=auto)
        store = _free(Address(host=LOOPBACK, port=config.store.port), "store.port", auto=auto) if embedded else None
        observer, serves = metrics, options.embedded or config.is_served
        if serves:  # then pages and API have a process of their own, which passes the metrics on
            observer = _free(Address(host=LOOPBACK, port=metrics.port + 1), "serve.port", auto=True)
            if store and observer.port == store.port:  # free only because the store has not begun
                observer = _free(Address(host=LOOPBACK, port=store.port + 1), "serve.port", auto=True)
        held.callback(data_directory.own(data, started_at=iso(wall_ms())[:19] + "Z").close)
        yield Plan(
            config=config,
            target=target,
            data=data,
            node=_NODE.sub("-", socket.gethostname()) or "node",
            listener=listener,
            metrics=metrics,
            observer=observer,
            serves=serves,
            store=store,
            engine=asked(target),
        )


def _target(config: Config) -> Address:
    if config.target.url is not None:
        return target_address(config.target.url)
    usual = (Address(host=LOOPBACK, port=port) for port in TARGET_PORTS)
    if found := next((address for address in usual if _serves_models(address)), None):
        return found
    tried = ", ".join(str(port) for port in TARGET_PORTS)
    raise UnreachableError(f"no engine on the usual local ports ({tried}); say --target URL, or try `inferometer demo`")


def _serves_models(address: Address) -> bool:
    found = asked(address)
    return found is not None and (bool(found.models) or found.guarded)


def _embedded(config: Config, options: Options) -> bool:
    if config.store.url is not None:
        return False
    if not options.embedded:
        raise ConfigurationError("store.url: collect keeps no store of its own; say --store-url http://HOST:8123")
    if find_spec("chdb") is None:
        raise ConfigurationError("store.url: no store; say --store-url, or install inferometer[embedded]")
    return True


def _free(address: Address, key: str, *, auto: bool) -> Address:
    return Address(host=address.host, port=free_port(address, key, auto=auto))


def iso(unix_ms: int) -> str:
    """Return a wall time as people read it, UTC."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds")
