"""`python -m realtime.keys FOLDER`: keys for an encrypted ZeroMQ stream that only invited programs can read.

FOLDER/server.json is for `--stream zmq://HOST:PORT?curve=FOLDER/server.json`; FOLDER/NAME.json goes to each client.
Running it again with another --client lets one more in, from the next start of the stream on.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from engine.command import command
from realtime.outputs.streams.curve import (
    ClientKeys,
    KeyFileError,
    ServerKeys,
    load_server_keys,
    new_pair,
    write_keys,
)

SERVER_FILE = "server.json"


def add_client(folder: Path, name: str) -> Path:
    """Make a client's key file, and the server's if there is none yet, and let the client in; returns its path.

    Raises KeyFileError; a file that exists is never replaced.
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


@command("realtime.keys")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m realtime.keys", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=Path("keys"), help="where they go (default: keys)")
    parser.add_argument("--client", action="append", metavar="NAME", help="a program to let in (default: client)")
    options = parser.parse_args(arguments)
    for name in options.client or ["client"]:
        print(f"wrote {add_client(options.folder, name)}: give it to that program, over a safe way")
    print(f"stream with --stream 'zmq://127.0.0.1:5555?curve={options.folder / SERVER_FILE}'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
