"""Reads and writes key files for CURVE, ZeroMQ's encryption and authentication (Curve25519, rfc.zeromq.org/spec/26).

A server's file holds its key pair and the public keys of its clients; a client's holds its key pair and the server's
public key. JSON, keys in ZeroMQ's printable form (Z85, 40 characters).
"""

from __future__ import annotations

import json
import os
import stat
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from engine.errors import UserError

_MAKE = "python -m realtime.keys makes key files"


class KeyFileError(UserError):
    """Key file that cannot be used or written."""


@dataclass(frozen=True)
class ServerKeys:
    """Keys of the publisher."""

    public_key: str
    secret_key: str
    clients: dict[str, str]  # name -> public key


@dataclass(frozen=True)
class ClientKeys:
    """Keys of one subscriber."""

    public_key: str
    secret_key: str
    server_key: str  # the server's public key


def new_pair() -> tuple[str, str]:
    """Generate a public and a secret key."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def load_server_keys(path: Path) -> ServerKeys:
    """Load a server's key file with at least one client. Raises KeyFileError, one line, for any other file."""
    fields = _read(path)
    if "server_key" in fields:
        raise KeyFileError(f"{path} is a client's key file; the publisher takes the server's (server.json)")
    clients = fields.get("clients")
    if not isinstance(clients, dict) or not clients:
        raise KeyFileError(f"{path} names no clients, so nobody could listen; {_MAKE}")
    for name, key in (("public_key", fields.get("public_key")), *clients.items()):
        _check_key(path, name, key)
    _check_pair(path, fields)
    return ServerKeys(fields["public_key"], fields["secret_key"], dict(clients))


def load_client_keys(path: Path) -> ClientKeys:
    """Load a client's key file. Raises KeyFileError, one line, for any other file."""
    fields = _read(path)
    for name in ("public_key", "server_key"):
        _check_key(path, name, fields.get(name))
    _check_pair(path, fields)
    return ClientKeys(fields["public_key"], fields["secret_key"], fields["server_key"])


def is_private(path: Path) -> bool:
    """Return whether only the owner can read the file, on systems with such permissions."""
    return os.name != "posix" or not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def write_keys(path: Path, keys: ServerKeys | ClientKeys) -> None:
    """Write a key file atomically, readable by its owner only (mode 0600). Raises KeyFileError."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(asdict(keys), indent=2) + "\n")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise KeyFileError(f"cannot write {path}: {error.strerror or error}; name another folder") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise KeyFileError(f"there is no key file {path}; {_MAKE}") from error
    except OSError as error:
        raise KeyFileError(f"cannot read the key file {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise KeyFileError(f"{path} is no key file: it is not JSON; {_MAKE}") from error
    if not isinstance(fields, dict):
        raise KeyFileError(f"{path} is no key file; {_MAKE}")
    return fields


def _check_key(path: Path, name: str, key: object) -> None:
    try:
        good = isinstance(key, str) and len(key) == 40 and len(z85.decode(key.encode("ascii"))) == 32
    except (ValueError, KeyError, struct.error):  # not ASCII; not in the alphabet; more than 32 bits
        good = False
    if not good:
        raise KeyFileError(f"{path}: '{name}' is not a key of 40 Z85 characters; {_MAKE}")


def _check_pair(path: Path, fields: dict[str, Any]) -> None:
    _check_key(path, "secret_key", fields.get("secret_key"))
    if zmq.curve_public(fields["secret_key"].encode()).decode() != fields["public_key"]:
        raise KeyFileError(f"{path}: public_key and secret_key do not belong together; {_MAKE}")
