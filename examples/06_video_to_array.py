"""Turns a video into an array of joints, without dropped frames: python examples/06_video_to_array.py VIDEO joints.npy

The array is (frames, 24, 3), metres in the world, NaN where nobody is seen.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # not needed by a program in the project's folder

from realtime import live


def main(video, out):
    """Solve every frame of the video, smoothed with a look ahead, and write the first person's joints to `out`."""
    nobody = np.full((24, 3), np.nan)
    frames = live(video=video, offline=True, people=1)
    joints = np.array([frame.people[0].pose.joints if frame.people else nobody for frame in frames])
    np.save(out, joints)
    print(f"{out}: {joints.shape}, somebody is seen in {np.isfinite(joints[:, 0, 0]).sum()} frames")


if __name__ == "__main__":
    main(*sys.argv[1:])
