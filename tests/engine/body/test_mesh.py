"""Normals and strongest weights against closed forms."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull

from engine.body.mesh import VertexNormals, face_normals, strongest_weights


def test_a_face_normal_points_out_and_is_twice_the_area_long():
    vertices = np.array([[0, 0, 1.0], [2, 0, 1], [0, 3, 1]])
    np.testing.assert_allclose(face_normals(vertices, np.array([[0, 1, 2], [0, 2, 1]])), [[0, 0, 6], [0, 0, -6]])


def test_vertex_normals_of_a_ball_point_away_from_its_middle():
    ball = np.random.default_rng(3).normal(size=(20_000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    faces = ConvexHull(ball).simplices
    inward = np.einsum("fk,fk->f", face_normals(ball, faces), ball[faces[:, 0]]) < 0
    faces[inward] = faces[inward, ::-1]
    normals = VertexNormals(faces, len(ball) + 1)(np.concatenate([ball, [[9.0, 9, 9]]]))
    np.testing.assert_allclose(normals[:-1], ball, atol=0.06)
    np.testing.assert_allclose(np.linalg.norm(normals[:-1], axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(normals[-1], 0)  # of no face


def test_the_strongest_weights_are_kept_and_sum_to_one():
    joints, weights = strongest_weights(np.array([[0.4, 0.1, 0.2, 0.2, 0.1], [0.2, 0.2, 0.2, 0.2, 0.2]]), 2)
    np.testing.assert_array_equal(joints, [[0, 2], [0, 1]])
    np.testing.assert_allclose(weights, [[2 / 3, 1 / 3], [0.5, 0.5]])
