"""Makes keys for an encrypted ZeroMQ stream: `python -m realtime.keys FOLDER`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.flags import command_line
from realtime.outputs.streams.wire.curve import (
    ClientKeys,
    KeyFileError,
    ServerKeys,
    load_server_keys,
    new_pair,
    write_keys,
)

SERVER_FILE = "server.json"


def add_client(folder: Path, name: str) -> Path:
    """Make a client's key file, and the server's if it does not exist, and admit the client; return the path.

    Raises KeyFileError; an existing file is never replaced.
    """
    if not name.replace("-", "").replace("_", "").isalnum() or name == "server":
        raise KeyFileError(f"'{name}' cannot name a client: use letters, digits, - and _ (and not 'server')")
    client_path, server_path = folder / f"{name}.json", folder / SERVER_FILE
    if client_path.exists():
        raise KeyFileError(f"{client_path} exists; delete it first, or choose another name with --client")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(f"cannot make the folder {folder}: {error.strerror}; name another") from error
    server = load_server_keys(server_path) if server_path.exists() else ServerKeys(*new_pair(), clients={})
    public, secret = new_pair()
    write_keys(client_path, ClientKeys(public, secret, server.public_key))
    write_keys(server_path, replace(server, clients={**server.clients, name: public}))
    return client_path


@command_line("realtime.keys")
def main(
    folder: Annotated[Path, Parameter(help="where they go")] = Path("keys"),
    /,
    *,
    client: Annotated[tuple[str, ...], Parameter(metavar="NAME", help="a program to let in")] = ("client",),
) -> int:
    """Keys for an encrypted ZeroMQ stream that only invited programs can read.

    FOLDER/server.json is for --stream zmq://HOST:PORT?curve=FOLDER/server.json; FOLDER/NAME.json goes to each client.
    Run again with another --client, it lets one more in, from the next start of the stream on.
    """
    for name in client:
        print(f"wrote {add_client(folder, name)}: give it to that program, over a safe way")
    print(f"stream with --stream 'zmq://127.0.0.1:5555?curve={folder / SERVER_FILE}'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
