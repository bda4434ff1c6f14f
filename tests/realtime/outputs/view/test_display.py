"""Saying in one line why no window can open."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from realtime.outputs.view import display

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux may lack a display server")

OPENING = """
import sys
from engine.body.files import load_body
from realtime.world.world import World
from realtime.outputs.view.display import NoDisplayError
from realtime.outputs.output import Run
from realtime.outputs.view.viewer import Viewer
body = load_body("open")
viewer = Viewer(Run(body))
try:
    viewer.open()
except NoDisplayError as error:
    print(error)
assert "open3d" not in sys.modules
"""


def test_an_unset_display_is_named_with_the_mend(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    reason = display.why_no_window()
    assert reason is not None
    assert "DISPLAY is not set" in reason
    assert "--view web or none" in reason
    assert "\n" not in reason


@pytest.mark.parametrize(("name", "value"), [("DISPLAY", ":63999"), ("WAYLAND_DISPLAY", "wayland-63999")])
def test_a_display_that_does_not_answer_is_named(monkeypatch, name, value):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(display, "_LINUX_LIBRARIES", {"libX11.so.6": "libx11-6"})
    reason = display.why_no_window()
    assert reason is not None
    assert value in reason
    assert "does not answer" in reason


def test_a_missing_library_is_named_with_its_package(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setitem(display._LINUX_LIBRARIES, "libnowhere.so.9", "libnowhere9")
    reason = display.why_no_window()
    assert reason is not None
    assert "libnowhere.so.9" in reason
    assert "apt-get install libnowhere9" in reason


def test_opening_without_a_display_is_one_line_and_loads_no_open3d():
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    run = subprocess.run([sys.executable, "-c", OPENING], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    (line,) = run.stdout.splitlines()
    assert line.startswith("there is no display")
