"""Protocols on hand-made people: known offsets give known millimetres."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.errors import EngineError
from training.evaluate.protocols import PROTOCOLS, People, load_people, score


def people(joints: int, n: int = 6) -> People:
    rng = np.random.default_rng(0)
    return People(
        joints=rng.normal(size=(n, joints, 3)),
        vertices=rng.normal(size=(n, 50, 3)),
        rotmats=Rotation.random(24 * n, rng=1).as_matrix().reshape(n, 24, 3, 3),
        keypoints_2d=100 * rng.normal(size=(n, 5, 2)),
        box_size_px=np.full(n, 200.0),
        sequence=np.array(["a"] * 3 + ["b"] * (n - 3)),
    )


@pytest.mark.parametrize(("name", "joints"), [("3dpw", 44), ("emdb", 24), ("plain", 7)])
def test_the_truth_itself_has_no_error_wherever_it_stands(name: str, joints: int) -> None:
    gt = people(joints)
    assert gt.vertices is not None
    scores = score(PROTOCOLS[name], replace(gt, joints=gt.joints + 3.0, vertices=gt.vertices + 3.0), gt)
    assert (scores.people, scores.missed) == (6, 0)
    for value in (scores.mpjpe_mm, scores.pa_mpjpe_mm, scores.mve_mm, scores.joint_angle_deg, scores.accel_error_mm):
        assert value == pytest.approx(0, abs=1e-6)
    assert (scores.pck_05, scores.pck_10) == (1.0, 1.0)


def test_3dpw_counts_fourteen_of_44_joints_about_mpiis_pelvis() -> None:
    gt = people(44)
    for joint in range(44):
        moved = gt.joints.copy()
        moved[:, joint, 0] += 0.014
        error = score(PROTOCOLS["3dpw"], replace(gt, joints=moved), gt)
        if joint == 39:  # the pelvis is the origin: every joint and every vertex is off by its error
            assert error.mpjpe_mm == pytest.approx(14)
            assert error.mve_mm == pytest.approx(14)
        else:
            counted = 25 <= joint <= 37 or joint == 43
            assert error.mpjpe_mm == pytest.approx(1.0 if counted else 0.0, abs=1e-9), joint


def test_emdbs_origin_lies_between_the_hips() -> None:
    gt = people(24)
    moved = gt.joints.copy()
    moved[:, 1, 1] += 0.024  # the left hip is off by 12 mm, the other 23 joints by 12 mm the other way
    error = score(PROTOCOLS["emdb"], replace(gt, joints=moved), gt)
    assert error.mpjpe_mm == pytest.approx(12)
    assert error.mve_mm == pytest.approx(12)
    moved = gt.joints.copy()
    moved[:, 20, 2] += 0.024
    assert score(PROTOCOLS["emdb"], replace(gt, joints=moved), gt).mpjpe_mm == pytest.approx(1)


def test_a_missed_person_counts_in_no_mean_and_parts_the_stretches_of_acceleration() -> None:
    gt = people(7, n=9)
    pred_joints = gt.joints.copy()
    pred_joints[4] = np.nan
    jump = 0.002 * np.arange(9)[:, None, None] ** 2 * np.array([1.0, 0, 0]) * (np.arange(7) > 0)[:, None]
    found = np.arange(9) != 4
    scores = score(PROTOCOLS["plain"], replace(gt, joints=pred_joints + jump, found=found), gt)
    assert (scores.people, scores.missed) == (8, 1)
    # sequence a has one stretch of three frames, b has rows 5..8; each joint but the origin accelerates by 4 mm
    assert scores.accel_error_mm == pytest.approx(4 * 6 / 7)
    with pytest.raises(EngineError, match="row 4"):
        score(PROTOCOLS["plain"], replace(gt, joints=pred_joints), gt)
    with pytest.raises(EngineError, match="none of the 9"):
        score(PROTOCOLS["plain"], replace(gt, found=np.zeros(9, bool)), gt)


def test_a_row_of_the_truth_that_is_not_known_counts_in_no_mean_of_it() -> None:
    gt = people(7, n=9)
    assert gt.rotmats is not None
    joints, rotmats = gt.joints.copy(), gt.rotmats.copy()
    joints[2], rotmats[:] = np.nan, np.nan
    pred = gt.joints.copy()
    pred[2, 3] += 5.0  # what is said of it does not matter
    pred[:, 1, 0] += 0.007
    scores = score(PROTOCOLS["plain"], replace(gt, joints=pred), replace(gt, joints=joints, rotmats=rotmats))
    assert (scores.people, scores.unknown, scores.joint_angle_deg) == (9, 1, None)
    assert scores.mpjpe_mm == pytest.approx(1.0)
    scores = score(PROTOCOLS["plain"], gt, replace(gt, joints=np.full_like(joints, np.nan)))
    assert (scores.mpjpe_mm, scores.mve_mm, scores.accel_error_mm, scores.unknown) == (None, None, None, 9)
    assert scores.pck_05 == 1
    joints[4, 3] = np.nan  # one joint of a body is a fault of the file
    with pytest.raises(EngineError, match="joints of row 4 are not finite"):
        score(PROTOCOLS["plain"], gt, replace(gt, joints=joints))


def test_keypoints_that_are_not_visible_do_not_count() -> None:
    gt = people(7)
    assert gt.keypoints_2d is not None
    visible = np.zeros((6, 5), bool)
    visible[0, :2] = visible[1, 0] = True
    moved = gt.keypoints_2d.copy()
    moved[0, 0] += 15.0  # 21 px of a crop of 200
    moved[2:] = np.nan
    scores = score(PROTOCOLS["plain"], replace(gt, keypoints_2d=moved), replace(gt, visible=visible))
    assert scores.pck_05 == pytest.approx(0.75)  # half of the first person's, all of the second's
    moved[1, 0] = np.nan
    with pytest.raises(EngineError, match="keypoints_2d of row 1 are not finite"):
        score(PROTOCOLS["plain"], replace(gt, keypoints_2d=moved), replace(gt, visible=visible))
    nothing = replace(gt, visible=np.zeros((6, 5), bool))
    assert score(PROTOCOLS["plain"], gt, nothing).pck_05 is None


def test_measures_without_their_data_are_left_out() -> None:
    gt = People(joints=people(7).joints)
    scores = score(PROTOCOLS["plain"], gt, gt)
    assert (scores.mve_mm, scores.joint_angle_deg, scores.pck_05, scores.accel_error_mm) == (None,) * 4


def test_joint_angles_leave_out_the_root() -> None:
    gt = people(7)
    assert gt.rotmats is not None
    turned = gt.rotmats.copy()
    turned[:, 0] = turned[:, 0] @ Rotation.from_rotvec([0, 1, 0]).as_matrix()
    turned[:, 5] = turned[:, 5] @ Rotation.from_rotvec([0, 0, 23], degrees=True).as_matrix()
    assert score(PROTOCOLS["plain"], replace(gt, rotmats=turned), gt).joint_angle_deg == pytest.approx(1)


def test_files_that_do_not_pair_are_refused() -> None:
    gt = people(24)
    with pytest.raises(EngineError, match="6 people"):
        score(PROTOCOLS["emdb"], people(24, n=7), gt)
    with pytest.raises(EngineError, match="takes 44 joints"):
        score(PROTOCOLS["3dpw"], gt, gt)
    with pytest.raises(EngineError, match="vertices are 50"):
        score(PROTOCOLS["emdb"], gt, replace(gt, vertices=np.zeros((6, 51, 3))))
    with pytest.raises(EngineError, match="row 1 is c"):
        score(PROTOCOLS["emdb"], replace(gt, ids=np.array(list("acdefg"))), replace(gt, ids=np.array(list("abdefg"))))


def test_files_are_read_and_checked(tmp_path: Path) -> None:
    gt = people(24)
    path = tmp_path / "people.npz"
    np.savez(path, joints=gt.joints, vertices=gt.vertices, id=np.arange(6))
    read = load_people(path)
    np.testing.assert_array_equal(read.joints, gt.joints)
    np.testing.assert_array_equal(read.ids, np.arange(6))
    assert read.rotmats is None
    regressor = np.zeros((24, 50))
    regressor[:, 7] = 1
    assert gt.vertices is not None
    np.testing.assert_allclose(load_people(path, regressor).joints[:, 3], gt.vertices[:, 7])

    with pytest.raises(EngineError, match="no vertices"):
        load_people(path, regressor[:, :49])
    np.savez(path, joints=gt.joints, rotmats=np.zeros((6, 22, 3, 3)))
    with pytest.raises(EngineError, match=r"rotmats must be \(6, 24, 3, 3\)"):
        load_people(path)
    for changed, message in (
        ({"joints": np.array(3.0)}, r"joints must be \(0, \*, 3\), not \(\)"),
        ({"joints": np.full((6, 24, 3), "x")}, "joints must not be of type <U1"),
        ({"joints": gt.joints, "found": np.ones(6)}, "found must not be of type float64"),
        ({"joints": gt.joints, "vertices": np.zeros((5, 50, 3))}, r"vertices must be \(6, \*, 3\)"),
        ({"joints": gt.joints[:0]}, "holds no people"),
    ):
        np.savez(path, **changed)
        with pytest.raises(EngineError, match=message):
            load_people(path)
    np.savez(path, points=gt.joints)
    with pytest.raises(EngineError, match="lacks joints"):
        load_people(path)
    path.write_bytes(b"")
    with pytest.raises(EngineError, match="cannot read"):
        load_people(path)
