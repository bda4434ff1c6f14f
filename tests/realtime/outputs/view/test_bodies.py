"""Detail of the bodies of several people, and how near the coarse body is to the whole one."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.mesh import VertexNormals
from engine.body.model import BodyModel
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.view.bodies import LitBody, coarse, in_full
from realtime.outputs.view.shown import Shown, people_shown
from tests.realtime.calibration.stances import frame, person

FOCAL_PX, AWAY_M = 1140.0, 4.0  # of the window at 720 pixels, from where the nearest stands
EYE = np.array([0.0, 0.9, 4.0], np.float32)


@pytest.fixture(scope="module")
def whole() -> BodyModel:
    return load_body("open-hands")


@pytest.fixture(scope="module")
def few(whole: BodyModel) -> BodyModel:
    return coarse(whole)


def shown(count: int, nearest: int | None, performer: int | None) -> Shown:
    (somebody,) = people_shown(frame(0.0, person()), 1.0)
    people = tuple(replace(somebody, id=k) for k in range(count))
    status = LiveStatus(30.0, 40.0, "test", "light", people=count, performer=performer)
    return Shown(np.zeros((9, 16, 3), np.uint8), people, status, nearest)


def test_of_eight_people_the_nearest_and_the_performer_keep_all_detail() -> None:
    assert in_full(shown(8, nearest=3, performer=6)) == {3, 6}
    assert in_full(shown(8, nearest=3, performer=None)) == {3}
    assert in_full(shown(2, nearest=1, performer=None)) == {0, 1}
    assert in_full(shown(8, nearest=None, performer=2)) == set(range(8))  # nobody knows who is far


def test_the_coarse_body_has_few_triangles_and_moves_as_the_whole_one(whole: BodyModel, few: BodyModel) -> None:
    assert len(few.faces) < 0.2 * len(whole.faces)
    assert len(few.v_template) < 0.2 * len(whole.v_template)
    full_at = {tuple(at): k for k, at in enumerate(whole.v_template.tolist())}
    kept = [full_at[tuple(at)] for at in few.v_template.tolist()]
    somebody = shown(1, None, None).people[0]
    centre = np.zeros(3, np.float32)
    for mirror in (False, True):
        all_of, some = (LitBody(body).of(somebody, centre, EYE, mirror) for body in (whole, few))
        np.testing.assert_allclose(some[0], all_of[0][kept], atol=1e-5)
        assert np.median(np.abs(some[1] - all_of[1][kept])) < 0.03  # colours, 0..1
    assert coarse(few) is few


def test_the_coarse_body_looks_outwards_where_the_whole_one_does(whole: BodyModel, few: BodyModel) -> None:
    full_at = {tuple(at): k for k, at in enumerate(whole.v_template.tolist())}
    kept = [full_at[tuple(at)] for at in few.v_template.tolist()]
    normals, full = (VertexNormals(body.faces, len(body.v_template))(body.v_template) for body in (few, whole))
    assert ((normals * full[kept]).sum(axis=1) > 0.5).mean() > 0.97


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_coarse_silhouette_lies_within_three_pixels_of_the_whole_one(
    whole: BodyModel, few: BodyModel, seed: int
) -> None:
    turns = Rotation.from_rotvec(np.random.default_rng(seed).normal(0, 0.3, (len(whole.skeleton), 3)))
    rotmats = turns.as_matrix().astype(np.float32)[None]
    masks = []
    for body in (whole, few):
        p = body.vertices(rotmats, np.zeros((1, 10), np.float32))[0] + [0, 0, AWAY_M]
        mask = np.zeros((720, 720), np.uint8)
        for triangle in np.round((p[:, :2] / p[:, 2:] * FOCAL_PX + 360) * 16).astype(np.int32)[body.faces]:
            cv2.fillConvexPoly(mask, triangle, 1, shift=4)
        masks.append(mask)
    assert masks[0].sum() > 10_000
    for inner, outer in (masks, masks[::-1]):
        away_px = cv2.distanceTransform(1 - outer, cv2.DIST_L2, 5)[inner > 0]
        assert away_px.max() <= 3.0
