"""The rasteriser against OpenCV's filled polygons and closed forms."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial import ConvexHull

from engine.body.rasteriser import rasterise

WHITE = np.ones((3, 3), np.float32)
TRIANGLE = np.array([[2.0, 3.0], [30.0, 11.0], [9.0, 27.0]], np.float32)
FRONT = np.array([[0, 2, 1]])  # counter-clockwise as a viewer sees it, with y pointing down


def drawn(points_px, depth_m, colours, faces, size):
    return rasterise(points_px, depth_m, faces, size).shade(colours)


def test_a_triangle_covers_the_pixels_whose_centres_lie_in_it():
    _, mask = drawn(TRIANGLE, np.ones(3, np.float32), WHITE, FRONT, (40, 30))
    x, y = np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5)
    inside = np.ones((30, 40), bool)
    for k in range(3):
        (ax, ay), (bx, by) = TRIANGLE[k], TRIANGLE[(k + 1) % 3]
        inside &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0
    np.testing.assert_array_equal(mask, inside)


def test_triangles_seen_from_behind_or_too_near_are_left_out():
    depth = np.ones(3, np.float32)
    assert drawn(TRIANGLE, depth, WHITE, FRONT, (40, 30))[1].any()
    assert not drawn(TRIANGLE, depth, WHITE, FRONT[:, ::-1], (40, 30))[1].any()
    assert not drawn(TRIANGLE, -depth, WHITE, FRONT, (40, 30))[1].any()
    hidden = np.where(np.arange(3)[:, None] == 1, np.nan, TRIANGLE).astype(np.float32)  # projected from behind
    assert not drawn(hidden, np.array([1, -1, 1], np.float32), WHITE, FRONT, (40, 30))[1].any()


def test_colours_are_interpolated_linearly():
    colours = np.stack([TRIANGLE[:, 0], TRIANGLE[:, 1], np.ones(3)], axis=1).astype(np.float32)
    picture, mask = drawn(TRIANGLE, np.ones(3, np.float32), colours, FRONT, (40, 30))
    rows, columns = np.nonzero(mask)
    np.testing.assert_allclose(picture[rows, columns, 0], columns + 0.5, atol=1e-3)
    np.testing.assert_allclose(picture[rows, columns, 1], rows + 0.5, atol=1e-3)
    assert (picture[~mask] == 0).all()


def test_the_nearer_triangle_hides_the_farther_one_whatever_the_order():
    points = np.concatenate([TRIANGLE, TRIANGLE + 4]).astype(np.float32)
    colours = np.repeat(np.eye(3, dtype=np.float32)[:2], 3, axis=0)
    both = np.concatenate([FRONT, FRONT + 3])
    for depth in ([1, 1, 1, 2, 2, 2], [2, 2, 2, 1, 1, 1]):
        nearest = int(depth[3] < depth[0])
        alone = drawn(points, np.ones(6, np.float32), colours, both[nearest : nearest + 1], (40, 40))[1]
        for faces in (both, both[::-1]):
            picture, _ = drawn(points, np.array(depth, np.float32), colours, faces, (40, 40))
            np.testing.assert_array_equal(picture[alone].argmax(axis=1), nearest)


def test_a_closed_mesh_has_no_holes_and_is_cut_off_at_the_edge():
    rng = np.random.default_rng(3)
    ball = rng.normal(size=(1500, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    faces = ConvexHull(ball).simplices
    a, b, c = (ball[faces[:, k]] for k in range(3))
    outward = np.einsum("fk,fk->f", np.cross(b - a, c - a), a) > 0
    faces = np.where(outward[:, None], faces, faces[:, ::-1])
    # Seen along +z with y down, which is half a turn about x away from y up: orientation is kept.
    pixels = (ball[:, :2] * 90 + [60, 100]).astype(np.float32)
    _, mask = drawn(pixels, (ball[:, 2] + 5).astype(np.float32), np.ones((1500, 3), np.float32), faces, (200, 160))
    expected = np.zeros((160, 200), np.uint8)
    for triangle in np.round(pixels * 16).astype(np.int32)[faces]:
        cv2.fillConvexPoly(expected, triangle, 1, shift=4)
    off = mask != expected.astype(bool)
    assert mask[80, 60]
    assert off.sum() < 0.01 * mask.sum()
    assert not (off & (cv2.erode(expected, np.ones((5, 5))) > 0)).any()


def test_nothing_to_draw_is_an_empty_picture():
    picture, mask = drawn(TRIANGLE - 100, np.ones(3, np.float32), WHITE, FRONT, (40, 30))
    assert picture.shape == (30, 40, 3)
    assert not mask.any()
    assert not picture.any()


def test_faces_that_cross_are_told_apart_pixel_by_pixel():
    """Two triangles through each other: each is in front on its side, which no order of whole triangles gives."""
    square = np.array([[0, 0], [20.3, 0], [0, 20.3]], np.float32)
    depth = np.array([1, 3, 1, 3, 1, 3], np.float32)
    faces = np.array([[0, 2, 1], [3, 5, 4]])
    found = rasterise(np.concatenate([square, square]), depth, faces, (20, 20)).faces()
    x, y = np.meshgrid(np.arange(20) + 0.5, np.arange(20) + 0.5)
    share_x, share_y = x / 20.3, y / 20.3
    nearness = [1 + share_x * (1 / 3 - 1), 1 / 3 + share_x * (1 - 1 / 3)]
    expected = np.where(share_x + share_y > 1, -1, np.argmax(nearness, axis=0))
    clear = np.abs(nearness[0] - nearness[1]) > 1e-6
    np.testing.assert_array_equal(found[clear], expected[clear])
    assert set(np.unique(found)) == {-1, 0, 1}
