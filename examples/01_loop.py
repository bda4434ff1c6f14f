"""Prints the place of everybody's head in a loop over solved frames: python examples/01_loop.py

The keywords of `live` are the flags of run_live.py: cam=0 in place of demo=True takes your webcam. docs/python.md
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # not needed by a program in the project's folder

from realtime import live

HEAD = 15  # in SMPL's order of joints: docs/conventions.md


def main(**source):
    """Print ten frames a second; return the last height of a head in metres."""
    printed_at, height_m = 0.0, None
    for frame in live(**(source or {"demo": True})):
        if frame.frame.t_capture - printed_at < 0.1:
            continue
        printed_at = frame.frame.t_capture
        for person in frame.people:
            x, y, z = person.pose.joints[HEAD]
            height_m = float(y)
            print(f"person {person.id}: head at {x:.3f} {y:.3f} {z:.3f} m, {person.confidence:.2f} sure")
    return height_m


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("stopped")
