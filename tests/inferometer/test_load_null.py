import socket

import pytest

from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.load_null import serve


def test_a_wrong_word_is_named_with_all_keys() -> None:
    with pytest.raises(ConfigurationError, match="allowed keys: ttft_s, itl_s"):
        serve(["ttft=1"], 0)


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UnreachableError, match=f"port {port}"):
            serve([], port)
