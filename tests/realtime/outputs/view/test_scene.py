"""The studio in numbers: normals, light, floor, grid, the point that the view follows."""

from __future__ import annotations

import numpy as np
import pytest

from engine.body.files import load_body
from realtime.outputs.view.scene import BACKGROUND, BodyShader, Floor, Follow, person_colour


def sphere(rings: int = 24, sectors: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces, counter-clockwise from outside, of a unit sphere around (0, 1, 0)."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, rings + 1)[1:-1], np.arange(sectors) * 2 * np.pi / sectors)
    polar, around = polar.T.ravel(), around.T.ravel()
    ring = np.stack([np.sin(polar) * np.sin(around), np.cos(polar), np.sin(polar) * np.cos(around)], axis=1)
    vertices = np.concatenate([ring, [[0, 1, 0], [0, -1, 0]]])
    vertices[:, 1] += 1
    faces = []
    for k in range(sectors):
        nxt = (k + 1) % sectors
        faces.append([len(ring), k, nxt])
        last = (rings - 2) * sectors
        faces.append([len(ring) + 1, last + nxt, last + k])
        for r in range(rings - 2):
            a, b, c, d = r * sectors + k, r * sectors + nxt, (r + 1) * sectors + k, (r + 1) * sectors + nxt
            faces += [[a, c, b], [b, c, d]]
    return vertices.astype(np.float32), np.array(faces)


def test_normals_of_a_sphere_point_away_from_its_middle():
    vertices, faces = sphere()
    normals = BodyShader(faces, len(vertices)).normals(vertices)
    np.testing.assert_allclose(normals, vertices - [0, 1, 0], atol=0.03)


def test_light_falls_from_above_in_front_on_the_left_of_the_picture():
    vertices, faces = sphere()
    shader = BodyShader(faces, len(vertices))
    normals = shader.normals(vertices)
    colours = shader.colours(vertices, normals, person_colour(0, True), np.array([0, 1.4, 4], np.float32))
    assert colours.min() >= 0
    assert colours.max() <= 1
    brightness = colours.mean(axis=1)
    towards = normals @ np.array([-0.45, 0.75, 0.62]) / np.linalg.norm([-0.45, 0.75, 0.62])
    assert brightness[towards > 0.95].mean() > 1.8 * brightness[(towards < -0.5)].mean()


def test_eyes_of_a_body_are_white_around_a_dark_iris_and_nothing_else_is():
    body = load_body("open-hands")
    eye = np.array([0, 0.7, 2], np.float32)
    plain, eyed = BodyShader(body.faces, len(body.v_template)), BodyShader.of(body)
    normals = plain.normals(body.v_template)
    without, colours = (s.colours(body.v_template, normals, person_colour(0, True), eye) for s in (plain, eyed))
    changed = np.flatnonzero((without != colours).any(axis=1))
    joint = body.skeleton.index("left_eye_smplhf")
    balls = body.weights[:, joint : joint + 2].sum(axis=1) > 0.5
    assert set(changed) == set(np.flatnonzero(balls))
    ahead = body.v_template[:, 2] - body.joints_template[joint, 2]
    assert colours[balls & (ahead > 0.0145)].max() < 0.5 < colours[balls & (np.abs(ahead - 0.009) < 0.003)].mean()


def test_people_keep_colours_of_their_own_and_grey_while_coasting():
    colours = [tuple(person_colour(k, True)) for k in range(6)]
    assert len(set(colours)) == 6
    assert person_colour(7, True).tolist() == person_colour(1, True).tolist()
    assert np.ptp(person_colour(1, False)) < 0.5 * np.ptp(person_colour(1, True))


def test_the_floor_fades_into_the_background_and_is_dark_below_a_body():
    floor = Floor(size_m=8.0, texels=256)
    bare = floor.cast([]).astype(int)
    np.testing.assert_allclose(bare[0, 0], BACKGROUND * 255, atol=2)
    assert (bare[128, 128] > bare[0, 0] + 40).all()

    standing = np.random.default_rng(1).uniform([0.9, 0, -1.1], [1.1, 0.1, -0.9], (400, 3)).astype(np.float32)
    shadowed = floor.cast([standing]).astype(int)
    row, column = 128 - 32, 128 + 32  # z = -1, x = +1 at 32 texels a metre
    assert shadowed[row, column].sum() < 0.6 * bare[row, column].sum()
    assert (shadowed[column, row] == bare[column, row]).all()  # not at z = +1, x = -1
    assert (floor.cast([]) == bare).all()  # gone with the body


def test_bodies_off_the_floor_cast_no_shadow_and_do_no_harm():
    floor = Floor(size_m=8.0, texels=256)
    bare = floor.cast([])
    far = np.full((10, 3), 50.0, np.float32)
    assert (floor.cast([far]) == bare).all()


@pytest.mark.parametrize("followed", [(0.0, 0.0), (0.3, -7.8)])
def test_grid_lines_lie_on_whole_metres_of_the_world(followed):
    followed = np.array(followed, np.float32)
    segments, colours = Floor().grid(followed)
    assert len(segments) == len(colours)
    world = segments[..., [0, 2]] + followed
    along_z = np.isclose(segments[:, 0, 0], segments[:, 1, 0])
    across = np.where(along_z, world[:, 0, 0], world[:, 0, 1])
    np.testing.assert_allclose(across, np.round(across), atol=1e-5)
    length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1)
    assert length.max() < 0.3  # short, so that the colour follows fade and shadow


def test_following_is_an_exponential_approach_that_jumps_when_people_do():
    follow = Follow(time_constant_s=0.5, jump_m=2.0)
    assert follow.step(np.array([[1.0, 0.9, 2.0]], np.float32), 0.03)
    np.testing.assert_allclose(follow.point, [1, 2])  # at first it is there at once
    for _ in range(50):
        follow.step(np.array([[2.0, 0.9, 2.0]], np.float32), 0.01)
    np.testing.assert_allclose(follow.point, [2 - np.exp(-1), 2], atol=1e-3)  # one time constant later
    follow.step(np.array([[9.0, 0.9, 2.0], [11.0, 0.9, 4.0]], np.float32), 0.01)
    np.testing.assert_allclose(follow.point, [10, 3])
    assert not follow.step(np.zeros((0, 3), np.float32), 1.0)
    np.testing.assert_allclose(follow.point, [10, 3])


def test_the_followed_point_arrives_and_then_stands_still():
    """It went on by less than a millimetre a step, undrawn, and the next picture of the same people was another."""
    follow = Follow(time_constant_s=0.5)
    follow.step(np.array([[0.0, 0.9, 0.0]], np.float32), 0.03)
    goal = np.array([[0.7, 0.9, 0.3]], np.float32)
    steps = 0
    while follow.step(goal, 0.03):
        steps += 1
        assert steps < 200
    assert (follow.point == goal[0, [0, 2]]).all()
    assert steps > 30
