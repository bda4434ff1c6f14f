"""Finds Rerun's viewer on the network, or opens it on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time

from realtime.outputs.streams.url import LOOPBACK

_OPENS_WITHIN_S = 30.0
_SETTLES_S, _LOOK_S = 1.0, 0.05
_ANSWERS_WITHIN_S = 2.0
_MEMORY = "25%"  # of the machine's; beyond it the viewer forgets the oldest data
_NOBODY = "http://127.0.0.1:9"  # the port that discards


class ViewerError(RuntimeError):
    """Viewer that cannot open."""


def listens(host: str, port: int) -> bool:
    """Return whether a program accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=_ANSWERS_WITHIN_S).close()
    except OSError:
        return False
    return True


def why_no_viewer() -> str | None:
    """Return why no window can open on this machine; None if it should open."""
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return "there is no display" if sys.platform.startswith("linux") and not has_display else None


def viewer_command(port: int) -> list[str]:
    """Return the command of a viewer that only this machine reaches."""
    options = ["--bind", LOOPBACK, "--port", str(port), "--memory-limit", _MEMORY, "--hide-welcome-screen"]
    return [sys.executable, "-m", "rerun_cli", *options]


def viewer_environment() -> dict[str, str]:
    """Return the environment of a viewer that reaches no other machine.

    The viewer reports its use to its makers and asks GitHub for newer versions, both over HTTPS. It takes a proxy from
    the environment, and this one refuses every connection.
    """
    proxies = {name: _NOBODY for word in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY") for name in (word, word.lower())}
    return {**os.environ, **proxies, "NO_PROXY": "", "no_proxy": "", "RUST_LOG": "error"}


def open_viewer(port: int) -> None:
    """Open the viewer and wait until it listens. It stays open after the run. Raises ViewerError."""
    with tempfile.TemporaryFile() as said:
        viewer = subprocess.Popen(
            viewer_command(port),
            env=viewer_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,  # Ctrl-C ends the run, not the viewer
        )
        until, listened_s = time.monotonic() + _OPENS_WITHIN_S, 0.0
        while listened_s < _SETTLES_S:  # it listens before it opens its window
            if viewer.poll() is not None:
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines()
                raise ViewerError(lines[0] if lines else f"it ended with exit code {viewer.returncode}")
            if time.monotonic() > until:
                raise ViewerError(f"it does not listen after {_OPENS_WITHIN_S:.0f} s")
            time.sleep(_LOOK_S)
            listened_s = listened_s + _LOOK_S if listens(LOOPBACK, port) else 0.0
