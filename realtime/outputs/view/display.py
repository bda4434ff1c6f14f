"""Checks whether a window can open on this display, and reports the reason if not."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import socket
import sys
from pathlib import Path

from engine.errors import UserError

# Libraries that open3d loads on Linux, with the Debian package of each.
_LINUX_LIBRARIES = {
    "libX11.so.6": "libx11-6",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libgomp.so.1": "libgomp1",
}


class NoDisplayError(UserError):
    """Window that cannot open on this machine."""


def why_no_window() -> str | None:
    """Return why a viewer window cannot open here, with the remedy, in one line; None if it should open.

    Imports nothing heavy: open3d is only searched for, and only if there is a display.
    """
    reason = _no_linux_display() if sys.platform.startswith("linux") else None
    if reason is None and importlib.util.find_spec("open3d") is None:
        reason = "open3d is not installed: pip install -r requirements.txt"
    return reason


def _no_linux_display() -> str | None:
    x11, wayland = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if not x11 and not wayland:
        return "there is no display (DISPLAY is not set): start it in a desktop session, or choose --view web or none"
    missing = {library: package for library, package in _LINUX_LIBRARIES.items() if not _loads(library)}
    if missing:
        install = f"sudo apt-get install {' '.join(missing.values())}"
        return f"the window needs {', '.join(missing)}: {install}, or choose --view none"
    if x11 and not _x11_answers(x11):
        return f"the display {x11} does not answer: set DISPLAY to a running one, or choose --view none"
    if not x11 and wayland and not _wayland_answers(wayland):
        return f"the display {wayland} does not answer: start it in a desktop session, or choose --view none"
    return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _x11_answers(name: str) -> bool:
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(name.encode())
    if display:
        x11.XCloseDisplay(display)
    return bool(display)


def _wayland_answers(name: str) -> bool:
    path = Path(os.environ.get("XDG_RUNTIME_DIR", "/")) / name
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
