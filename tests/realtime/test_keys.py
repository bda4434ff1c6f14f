from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import zmq

from realtime.keys import add_client, main
from realtime.outputs.streams.wire.curve import (
    KeyFileError,
    is_private,
    load_client_keys,
    load_server_keys,
    new_pair,
    write_keys,
)


def test_the_command_makes_a_server_and_its_clients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "keys"
    assert main([str(folder), "--client", "blender", "--client", "unity"]) == 0
    said = capsys.readouterr().out
    assert f"?curve={folder / 'server.json'}" in said
    server = load_server_keys(folder / "server.json")
    assert server.clients.keys() == {"blender", "unity"}
    for name, public in server.clients.items():
        client = load_client_keys(folder / f"{name}.json")
        assert (client.public_key, client.server_key) == (public, server.public_key)
        assert zmq.curve_public(client.secret_key.encode()).decode() == public
    secrets = {server.secret_key, *(load_client_keys(folder / f"{n}.json").secret_key for n in server.clients)}
    assert len(secrets) == 3
    assert not any(secret in said for secret in secrets)


def test_one_more_client_leaves_the_others_in(tmp_path: Path) -> None:
    add_client(tmp_path, "one")
    before = load_server_keys(tmp_path / "server.json")
    add_client(tmp_path, "two")
    after = load_server_keys(tmp_path / "server.json")
    assert (after.public_key, after.secret_key) == (before.public_key, before.secret_key)
    assert after.clients["one"] == before.clients["one"]
    assert after.clients.keys() == {"one", "two"}


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_only_the_owner_can_read_them_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        add_client(tmp_path / "keys", "one")
        add_client(tmp_path / "keys", "two")
    finally:
        os.umask(old)
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert is_private(path)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {path.name for path in (tmp_path / "keys").iterdir()} == {"server.json", "one.json", "two.json"}
    path.chmod(0o644)
    assert not is_private(path)


def test_a_key_file_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = add_client(tmp_path, "client")
    before = path.read_bytes()
    assert main([str(tmp_path)]) == 2
    assert "exists; delete it first" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["server", "../evil", "a/b", "", "a b", "."])
def test_a_name_that_would_be_another_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyFileError, match="cannot name a client"):
        add_client(tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "file" / "keys")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


GOOD_PUBLIC, GOOD_SECRET = new_pair()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "is no key file"),
        ("{}", "names no clients"),
        (json.dumps({"server_key": "x"}), "is a client's key file"),
        (json.dumps({"public_key": GOOD_PUBLIC, "secret_key": GOOD_SECRET, "clients": {}}), "names no clients"),
        (json.dumps({"public_key": GOOD_PUBLIC, "secret_key": GOOD_SECRET, "clients": {"a": "b"}}), "'a' is not a key"),
        (
            json.dumps({"public_key": GOOD_PUBLIC, "secret_key": 7, "clients": {"a": GOOD_PUBLIC}}),
            "'secret_key' is not",
        ),
        (
            json.dumps({"public_key": "~" * 40, "secret_key": GOOD_SECRET, "clients": {"a": GOOD_PUBLIC}}),
            "'public_key'",
        ),
        (
            json.dumps({"public_key": "%" * 40, "secret_key": GOOD_SECRET, "clients": {"a": GOOD_PUBLIC}}),
            "'public_key'",
        ),
        (
            json.dumps({"public_key": new_pair()[0], "secret_key": GOOD_SECRET, "clients": {"a": GOOD_PUBLIC}}),
            "do not belong together",
        ),
    ],
)
def test_what_is_no_servers_key_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "server.json"
    path.write_text(text)
    with pytest.raises(KeyFileError) as caught:
        load_server_keys(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_servers_file_is_no_clients(tmp_path: Path) -> None:
    add_client(tmp_path, "one")
    with pytest.raises(KeyFileError, match="'server_key' is not a key"):
        load_client_keys(tmp_path / "server.json")


def test_a_binary_file_and_a_folder_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    for path in (tmp_path / "noise", tmp_path, tmp_path / "none"):
        with pytest.raises(KeyFileError, match="key file"):
            load_server_keys(path)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    add_client(tmp_path, "one")
    keys = load_server_keys(tmp_path / "server.json")
    with pytest.raises(KeyFileError, match="cannot write"):
        write_keys(tmp_path / "none" / "server.json", keys)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(KeyFileError, match="cannot write"):
        write_keys(tmp_path / "folder.json", keys)
    assert {path.name for path in tmp_path.iterdir()} == {"server.json", "one.json", "folder.json"}
