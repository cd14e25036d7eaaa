from pathlib import Path

import pytest

from inferometer import store_secrets


def test_secrets_are_made_once_private_and_random(tmp_path: Path) -> None:
    made = store_secrets.ensure(tmp_path)

    assert set(store_secrets.USERS) == set(made)
    assert len(set(made.values())) == len(store_secrets.USERS)
    assert made == store_secrets.ensure(tmp_path)
    for user, secret in made.items():
        path = store_secrets.secret_path(tmp_path, user)
        assert 0o600 == path.stat().st_mode & 0o777
        assert secret == store_secrets.read_secret(path)
        assert len(secret) * 6 >= store_secrets.SECRET_BITS


def test_a_secret_file_is_read_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("x" * (store_secrets.SECRET_BYTES_MAX + 1))

    assert store_secrets.SECRET_BYTES_MAX == len(store_secrets.read_secret(tmp_path / "s"))


@pytest.mark.parametrize(
    ("user", "secret", "expected"),
    [
        ("reader", "r", "reader"),
        ("", "r", "reader"),
        ("writer", "r", None),
        ("reader", "ä", None),
        ("reader", "", None),
        ("stranger", "r", None),
    ],
)
def test_whose_secret_it_is(user: str, secret: str, expected: str | None) -> None:
    assert expected == store_secrets.user_of({"reader": "r", "writer": "w"}, user, secret)


def test_the_key_of_flows_is_made_once_and_private(tmp_path: Path) -> None:
    path = store_secrets.flow_key(tmp_path)
    made = path.read_text()

    assert (made, 0o600) == (store_secrets.flow_key(tmp_path).read_text(), path.stat().st_mode & 0o777)
    assert len(made) * 6 >= store_secrets.SECRET_BITS
