"""Lists the cameras of this machine and their formats: `python -m realtime.cameras`."""

from __future__ import annotations

import sys

from engine.flags import command_line
from realtime.capture.camera import list_cameras, open_capture
from realtime.capture.factory import quiet_libraries
from realtime.capture.source import SourceConfig


@command_line("realtime.cameras")
def main() -> int:
    """Print one line a camera: index, name, backend and the driver's format for the default request."""
    quiet_libraries()
    cameras = list_cameras()
    if not cameras:
        print("this machine lists no camera; python run_live.py --demo works without one")
    asked = SourceConfig()
    for camera in cameras:
        capture, given = open_capture(camera.index, asked.width, asked.height, asked.fps or 30.0)
        answer = f"[{capture.getBackendName()}] {given}" if capture.isOpened() else "does not open (in use?)"
        capture.release()
        print(f"{camera}  {answer}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
