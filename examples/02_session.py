"""Records ten seconds, then reads the session file with NumPy: python examples/02_session.py [take.npz]

A file that is there already is only read. All keys: docs/session-format.md
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # not needed by a program in the project's folder

from realtime import live

RIGHT_WRIST = 21  # in SMPL's order of joints: docs/conventions.md


def main(path="take.npz", **source):
    """Record the source, by default the demo, unless the file exists; return the wrist's top speed in m/s."""
    if not Path(path).exists():
        for _ in live(record=path, **(source or {"demo": True, "seconds": 10})):
            pass  # the file is written when the loop ends
    with np.load(path) as session:
        seconds, joints, seen = session["timestamps"], session["joints"], session["valid"]
    steps_m = np.linalg.norm(np.diff(joints[:, RIGHT_WRIST], axis=0), axis=1)
    speeds = (steps_m / np.diff(seconds))[seen[1:] & seen[:-1]]
    print(f"{path}: {len(seconds)} frames in {seconds[-1] - seconds[0]:.1f} s, the person is seen in {seen.mean():.0%}")
    print(f"right wrist: {speeds.mean():.2f} m/s on average, {speeds.max():.2f} m/s at most")
    return float(speeds.max())


if __name__ == "__main__":
    main(*sys.argv[1:])
