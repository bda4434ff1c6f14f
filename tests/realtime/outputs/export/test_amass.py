from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine.skeleton import PARENTS
from realtime.body.smpl_file import load_body
from realtime.export import main
from realtime.outputs.session import Session
from tests.realtime.outputs.export.recording import FRAMES


def test_amass_has_z_up(path: Path, session: Session, tmp_path: Path) -> None:
    """SMPL's kinematics on the exported numbers give our joints, turned so that Z is up."""
    out = tmp_path / "amass.npz"
    assert main([str(path), str(out)]) == 0
    with np.load(out, allow_pickle=False) as data:
        amass = dict(data)
    assert set(amass) == {"poses", "trans", "betas", "gender", "mocap_framerate", "mocap_frame_rate"}
    rest = load_body("open").rest_joints(amass["betas"][None, :10].astype(np.float32))[0]
    locals_ = [Rotation.from_rotvec(amass["poses"][:, 3 * j : 3 * j + 3]) for j in range(22)]
    world, joints = [locals_[0]], [np.tile(rest[0], (FRAMES, 1))]
    for j in range(1, 22):
        joints.append(joints[PARENTS[j]] + world[PARENTS[j]].apply(rest[j] - rest[PARENTS[j]]))
        world.append(world[PARENTS[j]] * locals_[j])
    x, y, z = np.moveaxis(session.joints[:, :22], -1, 0)
    expected = np.stack([x, -z, y], axis=-1)
    np.testing.assert_allclose(np.stack(joints, 1) + amass["trans"][:, None], expected, atol=1e-5)
