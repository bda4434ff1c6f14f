"""The real networks on a real clip: the landmarks must be those of a man who walks towards the camera and balances."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.body.keypoints import BLAZEPOSE, Keypoints
from realtime.kernel.messages import Frame, Sighting
from realtime.perception import PerceptionConfig, create_perception


@pytest.fixture(scope="module")
def sightings(clip: list[np.ndarray]) -> list[Sighting]:
    perception = create_perception(PerceptionConfig())
    assert perception.description == "BlazePose full by OpenVINO, 1 thread(s)"
    seen = [perception.observe(Frame(image, i, i / 12)) for i, image in enumerate(clip)]
    perception.close()
    return seen


def _body(sighting: Sighting) -> Keypoints:
    """The first person's."""
    return sighting.people[0].keypoints["body"]


def length_m(landmarks: Keypoints, a: str, b: str) -> float:
    i, j = BLAZEPOSE.index(a), BLAZEPOSE.index(b)
    return float(np.linalg.norm(landmarks.world_m[i] - landmarks.world_m[j]))


def height_px(landmarks: Keypoints, name: str) -> float:
    return float(landmarks.image_px[BLAZEPOSE.index(name), 1])


def test_one_man_under_one_id(sightings: list[Sighting]) -> None:
    assert [[person.id for person in sighting.people] for sighting in sightings] == [[0]] * len(sightings)
    assert all(_body(sighting).presence > 0.9 for sighting in sightings)


def test_his_shape_is_human(sightings: list[Sighting]) -> None:
    """Medians over the clip; BlazePose's own lengths are only good to a fifth."""
    lengths = {
        (part, side): np.median([length_m(_body(s), f"{side}_{a}", f"{side}_{b}") for s in sightings])
        for part, (a, b) in {
            "thigh": ("hip", "knee"),
            "shin": ("knee", "ankle"),
            "upper arm": ("shoulder", "elbow"),
            "forearm": ("elbow", "wrist"),
        }.items()
        for side in ("left", "right")
    }
    for part in ("thigh", "shin", "upper arm", "forearm"):
        assert 0.8 < lengths[part, "left"] / lengths[part, "right"] < 1.25, part
    thigh = (lengths["thigh", "left"] + lengths["thigh", "right"]) / 2
    assert 0.3 < thigh < 0.5
    for part, low, high in (("shin", 0.75, 1.3), ("upper arm", 0.5, 0.9), ("forearm", 0.4, 0.85)):
        assert low < (lengths[part, "left"] + lengths[part, "right"]) / 2 / thigh < high, part


def test_he_stands_upright_and_faces_the_camera(sightings: list[Sighting]) -> None:
    """His left is on the right of the picture; the head is up in the picture and in the world's y, which is down."""
    facing = 0
    for sighting in sightings[:4]:  # he leans sideways after that
        landmarks = _body(sighting)
        parts = ("nose", "left_shoulder", "left_hip", "left_knee", "left_ankle")
        rows = [height_px(landmarks, name) for name in parts]
        assert rows == sorted(rows)
        down = [landmarks.world_m[BLAZEPOSE.index(name), 1] for name in parts]
        assert down == sorted(down)
    for sighting in sightings:
        points = _body(sighting).image_px
        left, right = (points[BLAZEPOSE.index(f"{side}_shoulder"), 0] for side in ("left", "right"))
        facing += left > right
    assert facing >= 0.7 * len(sightings)  # BlazePose turns people round now and then


def test_all_of_him_is_in_the_picture_and_in_the_box(sightings: list[Sighting]) -> None:
    for sighting in sightings:
        person = sighting.people[0]
        width, height = sighting.frame.size
        points = person.keypoints["body"].image_px
        assert (points > 0).all()
        assert (points < [width, height]).all()
        visible = points[person.keypoints["body"].visibility >= 0.5]
        assert (visible >= person.box_xyxy[:2]).all()
        assert (visible <= person.box_xyxy[2:]).all()
        x1, y1, x2, y2 = person.box_xyxy
        assert 1.2 < (y2 - y1) / (x2 - x1) < 5


def test_world_is_centred_between_the_hips(sightings: list[Sighting]) -> None:
    hips = BLAZEPOSE.indices(("left_hip", "right_hip"))
    for sighting in sightings:
        assert np.linalg.norm(_body(sighting).world_m[hips].mean(axis=0)) < 0.03


def test_a_picture_on_its_side_gives_a_body_on_its_side(clip: list[np.ndarray], sightings: list[Sighting]) -> None:
    """A quarter turn of the camera turns image and world alike: the square follows the body."""
    perception = create_perception(PerceptionConfig())
    turned = np.ascontiguousarray(np.rot90(clip[0], -1))  # clockwise: (x, y) -> (height - y, x)
    perception.observe(Frame(turned, 0, 0.0))
    landmarks = perception.observe(Frame(turned, 1, 0.1)).people[0].keypoints["body"]
    upright = _body(sightings[0])
    body = BLAZEPOSE.indices(("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip"))
    expected = np.stack([clip[0].shape[0] - upright.image_px[:, 1], upright.image_px[:, 0]], axis=1)
    side = np.ptp(upright.image_px[:, 1])
    assert np.linalg.norm(landmarks.image_px[body] - expected[body], axis=1).max() < 0.05 * side
    world = np.stack([-upright.world_m[:, 1], upright.world_m[:, 0]], axis=1)
    assert np.linalg.norm(landmarks.world_m[body, :2] - world[body], axis=1).max() < 0.12


def test_size_of_the_picture_does_not_matter(clip: list[np.ndarray], sightings: list[Sighting]) -> None:
    perception = create_perception(PerceptionConfig())
    large = cv2.resize(clip[0], None, fx=3, fy=3)
    points = perception.observe(Frame(large, 0, 0.0)).people[0].keypoints["body"].image_px / 3
    side = np.ptp(_body(sightings[0]).image_px[:, 1])
    assert np.median(np.linalg.norm(points - _body(sightings[0]).image_px, axis=1)) < 0.02 * side


def test_a_dark_picture_holds_nobody(clip: list[np.ndarray]) -> None:
    perception = create_perception(PerceptionConfig())
    perception.observe(Frame(clip[0], 0, 0.0))
    assert perception.observe(Frame(np.zeros_like(clip[0]), 1, 0.1)).people == ()


def test_a_stream_whose_pictures_change_in_size_is_looked_at_anew(clip: list[np.ndarray]) -> None:
    """The square of the last picture lies elsewhere in the next: it gave bodies on their heads."""
    perception = create_perception(PerceptionConfig())
    ids = set()
    for i in range(8):
        image = clip[i] if i % 2 else np.ascontiguousarray(cv2.resize(clip[i], None, fx=0.4, fy=0.4))
        afresh = create_perception(PerceptionConfig()).observe(Frame(image, 0, 0.0)).people[0]
        person = perception.observe(Frame(image, i, i / 30)).people[0]
        ids.add(person.id)
        np.testing.assert_array_equal(person.keypoints["body"].image_px, afresh.keypoints["body"].image_px)
    assert ids == {0}
