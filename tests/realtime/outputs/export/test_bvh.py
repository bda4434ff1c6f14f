from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import bvhio
import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.skeleton import JOINT_NAMES
from realtime.export import main
from realtime.outputs.export.bvh import bvh_parts, depth_first
from realtime.outputs.recording.session import Session
from tests.realtime.outputs.export.recording import FRAMES, MM


def test_bvh_read_by_another_program_gives_our_joints(path: Path, session: Session, tmp_path: Path) -> None:
    out = tmp_path / "s.bvh"
    assert main([str(path), str(out)]) == 0
    root = bvhio.readAsHierarchy(str(out))
    joints = {joint.Name: joint for joint, _, _ in root.layout()}
    for k in range(0, FRAMES, 7):
        root.loadPose(k)
        read = np.array([joints[name].PositionWorld for name in JOINT_NAMES])
        assert np.abs(read - session.joints[k]).max() < MM
    data = bvhio.readAsBvh(str(out))
    assert data.FrameTime == 1 / 60
    assert data.FrameCount == FRAMES


def test_bvh_frame_time_is_exact(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.bvh"
    main([str(path), str(out)])
    found = re.search(r"Frame Time: (\S+)", out.read_text())
    assert found is not None
    assert float(found[1]) == 1 / 60


def test_bvh_angles_do_not_leap_where_a_limb_passes_gimbal_lock(session: Session) -> None:
    """An arm that swings to 120 degrees about its middle axis: no channel turns further in a frame than the arm."""
    arm = JOINT_NAMES.index("left_elbow")
    swing = np.linspace(60.5, 120.5, FRAMES)
    poses = session.poses.copy()
    turns = Rotation.from_euler(
        "ZXY", np.stack([np.full(FRAMES, 20.0), swing, np.full(FRAMES, -15.0)], 1), degrees=True
    )
    poses[:, 3 * arm : 3 * arm + 3] = turns.as_rotvec()
    rows = "".join(bvh_parts(replace(session, poses=poses))).partition("Frame Time:")[2].splitlines()[1:]
    channels = np.array([row.split() for row in rows], float)[:, 3:].reshape(FRAMES, -1, 3)
    steps = np.abs(np.diff(channels, axis=0)).max((0, 2))
    assert steps[depth_first().index(arm)] < 2.0
    assert steps.max() < 10.0
