"""How what was typed becomes keys of the configuration."""

import pytest

from inferometer.cli_options import configured, typed
from inferometer.errors import ConfigurationError


def test_options_are_keys_and_say_where_they_come_from() -> None:
    found = typed(data="d", store_url=None, port="8101")

    assert {"data": ("--data", "d"), "store.url": ("--store-url", None), "tee.port": ("--port", "8101")} == found


@pytest.mark.parametrize("port", [None, "auto"])
def test_a_port_that_is_found_later_is_no_key(port: str | None) -> None:
    assert {} == typed(port=port)


def test_an_option_wins_and_a_bad_one_is_named() -> None:
    assert "d" == configured(None, typed(data="d")).data
    with pytest.raises(ConfigurationError, match=r"^--store-url: store\.url: found 'h:1'"):
        configured(None, typed(store_url="h:1"))
