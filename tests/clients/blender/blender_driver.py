"""The extension driven as Blender drives it: its timer called in a loop, its operators, what came of them."""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

import bpy
import numpy as np

SECONDS = float(sys.argv[4])
MODULE = "bl_ext.user_default.tokenmocap"
written: dict[str, Any] = {}


def part(name: str) -> Any:
    return importlib.import_module(f"{MODULE}.{name}")


def play(seconds: float, watch: Any = lambda: None) -> None:
    """Blender's main loop for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        wait = part("scene.live").tick()
        bpy.context.view_layer.update()
        watch()
        time.sleep(max(0.0, (wait or 0.0) + began - time.monotonic()))


def wait_for(what: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise TimeoutError("the stream did not come")
        play(0.05)


def heads(ob: Any, bones: Any) -> np.ndarray:
    return np.array([ob.matrix_world @ ob.pose.bones[bone].head for bone in bones])


def refusal(operator: Any) -> str:
    """The line with which an operator refuses."""
    try:
        operator()
    except RuntimeError as error:
        return str(error).removeprefix("Error: ").strip()
    raise AssertionError("it was not refused")


def shown(ob: Any) -> float:
    return part("scene.live")._state.driven[ob.name].t_shown
