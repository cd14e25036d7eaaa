"""Where hints are told beside the API: what may be configured, the page of metrics, the gRPC port."""

import sys

import pytest
from grpc import aio

from inferometer.config_schema import NAMES_MAX, Serve
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.hints_faces import TEXT, Faces, HintPage, faces, keda, told
from slo.api_parts import NoHints
from slo.scaling.faces.prometheus import Gauge


def test_what_is_configured() -> None:
    keys = Serve(names=("inferometer.monitoring.svc",), keda_grpc="127.0.0.1:8201", wva_alias=True)

    assert Faces(names=("inferometer.monitoring.svc",), keda_grpc="127.0.0.1:8201", wva_alias=True) == faces(keys)
    assert {"names": (), "keda_grpc": "", "wva_alias": False} == told(Serve())
    assert "[::1]:1" == faces(Serve(keda_grpc="[::1]:1")).keda_grpc


@pytest.mark.parametrize("keys", [{"keda_grpc": "here"}, {"names": ("a b",)}, {"names": ("a",) * (NAMES_MAX + 1)}])
def test_what_is_no_address_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"keda_grpc|names"):
        Serve.model_validate(keys)


def test_an_address_that_is_open_to_others_must_be_asked_for() -> None:
    keys = Serve(keda_grpc="0.0.0.0:8201")

    with pytest.raises(ConfigurationError, match=r"serve\.keda_grpc: found '0\.0\.0\.0'"):
        faces(keys)
    assert "0.0.0.0:8201" == faces(keys, insecure_bind=True).keda_grpc


def test_without_the_extra_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    # An import that was tried and failed is None there; find_spec goes by it.
    monkeypatch.setitem(sys.modules, "grpc", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'inferometer\[keda\]'"):
        faces(Serve(keda_grpc="127.0.0.1:8201"))


def test_a_page_without_targets_is_left_as_it_is() -> None:
    page = HintPage(NoHints(), lambda: 0.0, alias=True)

    assert (False, b"up 1\n") == (bool(page), page.added(b"up 1\n", TEXT))


def test_what_else_is_known_stands_on_the_page_too() -> None:
    known = Gauge(name="x_ratio", meaning="Of x.", points=[({"a": "b"}, 0.5)])
    page = HintPage(NoHints(), lambda: 0.0, alias=False, beside=lambda: [known])

    assert page
    assert b'up 1\n# HELP x_ratio Of x.\n# TYPE x_ratio gauge\nx_ratio{a="b"} 0.5\n' == page.added(b"up 1\n", TEXT)


async def test_the_external_scaler_is_served_where_it_is_configured() -> None:
    async with keda("", NoHints(), lambda: 0.0) as nowhere, keda("127.0.0.1:0", NoHints(), lambda: 0.0) as port:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
        with pytest.raises(UnreachableError, match=rf"serve\.keda_grpc: 127\.0\.0\.1:{port} cannot be taken"):
            async with keda(f"127.0.0.1:{port}", NoHints(), lambda: 0.0):
                pass

    assert nowhere is None
