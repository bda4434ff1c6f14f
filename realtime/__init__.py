"""Live motion capture in your own program: `for frame in live(cam=0): ...`. Importing this loads nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.command import quiet_start
from engine.errors import UserError

if TYPE_CHECKING:
    from realtime.run.loop import SolvedFrames

__all__ = ["UserError", "live"]

quiet_start("realtime")


def live(**settings: Any) -> SolvedFrames:
    """Open a source and iterate over its solved frames (`realtime.kernel.messages.SolvedFrame`), until it ends.

    settings: named as the flags of run_live.py, with `_` for `-`: `live(cam=0, people=2, smoothing="off")`. Without
    `view`, nothing is shown.

    A loop that is slower than the camera gets the newest frame; with `offline=True` it gets every frame of the file.
    `break`, an exception in the loop and `close()` end the run cleanly. Raises UserError, one line: here for an invalid
    setting, from the loop for a source that cannot be opened.
    """
    from realtime.run.loop import SolvedFrames

    return SolvedFrames(settings)
