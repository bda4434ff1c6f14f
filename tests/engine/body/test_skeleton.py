"""Skeletons as values."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.skeleton import LEG_JOINTS, SMPL, Skeleton


def test_smpl_is_a_tree_of_24_joints_with_two_sides():
    assert len(SMPL) == len(SMPL.parents) == 24
    assert (SMPL.parents[1:] < np.arange(1, 24)).all()
    np.testing.assert_array_equal(SMPL.mirror[SMPL.mirror], np.arange(24))
    assert SMPL.names[SMPL.mirror[SMPL.index("left_wrist")]] == "right_wrist"
    np.testing.assert_array_equal(LEG_JOINTS, [[1, 4, 7, 10], [2, 5, 8, 11]])


@pytest.mark.parametrize("parents", [SMPL.parents, [-1, 0, 1, 0, 3, 4, 2], [-1], [-1, 0, 1, 2]])
def test_levels_hold_every_joint_once_after_its_parent(parents):
    skeleton = Skeleton(tuple(f"joint_{i}" for i in range(len(parents))), np.array(parents))
    placed = 1
    for joints, above in skeleton.levels:
        assert joints.start == placed
        assert (above < joints.start).all()
        np.testing.assert_array_equal(above, skeleton.parents[joints])
        placed = joints.stop
    assert placed == len(skeleton)


def test_a_subtree_is_what_hangs_on_a_joint():
    below = [SMPL.names[j] for j in np.flatnonzero(SMPL.subtrees[SMPL.index("left_elbow")])]
    assert below == ["left_elbow", "left_wrist", "left_hand"]
    assert SMPL.subtrees[0].all()
    assert SMPL.children(SMPL.index("spine3")) == list(SMPL.indices(("neck", "left_collar", "right_collar")))


def test_offsets_add_up_to_the_joints():
    joints = np.random.default_rng(0).normal(size=(24, 3))
    offsets = SMPL.offsets(joints)
    np.testing.assert_array_equal(offsets[0], joints[0])
    np.testing.assert_allclose(np.einsum("ij,ik->jk", SMPL.subtrees, offsets), joints, atol=1e-12)
