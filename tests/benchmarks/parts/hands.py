"""Measures fingers and palms of known hands: renders of the free body go through the hand network and the fit.

    python -m tests.benchmarks.parts.hands [--body FILE] [--strip FILE.png]

Each gesture, and hands of random natural poses, are seen from many sides, 40 degrees or so about the palm and the back
of the hand. Angles are degrees between a joint's known and its fitted rotation, and between known and fitted palm.
Millimetres are distances of the network's landmarks from the fitted hand's points. Then, in the same run, the CPU time
of completing an estimate with hands and of smoothing them, relative to that of the estimate itself. --strip draws, for
each gesture, three views: the render with the network's landmarks, and the fitted hand.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.hand import hand_of
from engine.body.keypoints import BLAZEPOSE, HAND, Keypoints
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.rasteriser import rasterise
from engine.body.skeleton import FINGER_JOINTS
from realtime.assets import HAND_LANDMARKS, fetch
from realtime.estimate.hands.completion import HandCompletion
from realtime.estimate.hands.fit import Fitted, HandFitter, with_picture
from realtime.estimate.hands.joints import quaternions
from realtime.estimate.hands.memory import HandsMemory
from realtime.estimate.landmarks import LandmarkEstimator
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import Estimate, Frame, Part, Sighting, TrackedPerson
from realtime.perception.parts.hand import SPEC, HandLandmarker, HandView, around
from realtime.perception.runtime import load_network
from realtime.smoothing.hands import HandFilters
from realtime.smoothing.pose_smoother import LEVELS
from tests.realtime.estimate.hands.posed import GESTURES_DEG, apart_deg, gesture, natural, points, rotations

Floats = NDArray[np.floating]

SIDE_PX, DISTANCE_M = 400, 0.6
CAMERA = PinholeCamera(SIDE_PX, SIDE_PX, 28.0)  # a hand is 250 pixels tall
VIEWS, RANDOM = 24, 200  # of each gesture, and random hands
SKIN_BGR, WALL_BGR = np.array((130, 160, 215), np.float32), np.array((110, 105, 95), np.float32)
ROUNDS = 2  # of the network, each in the square of the landmarks before
PALM_TO_CAMERA = Rotation.from_euler("z", -90, degrees=True) * Rotation.from_euler("x", 90, degrees=True)
PARTS: tuple[Part, Part] = ("left_hand", "right_hand")
SURE = 0.8  # presence of the hands that count


@dataclass(frozen=True)
class Seen:
    """A rendered hand, what the network says of it, and the pose that made it."""

    image: NDArray[np.uint8]
    view: HandView
    angles: Floats  # (5, 5)
    R_cam_palm: Rotation


class Studio:
    """The left forearm and hand of a body before a camera."""

    def __init__(self, body: BodyModel) -> None:
        self.hand = hand_of(body)
        self._body, names = body, body.skeleton
        self._joints = names.indices(f"left_{joint}" for joint in FINGER_JOINTS)
        self._wrist = names.index("left_wrist")
        own = [names.index("left_elbow"), self._wrist, *self._joints]
        shown = body.weights[:, own].sum(1) > 0.5
        self._faces = body.faces[shown[body.faces].all(1)].astype(np.int64)

    def render(self, angles: Floats, R_cam_palm: Rotation, light: Floats) -> tuple[NDArray[np.uint8], Floats]:
        """Return the image (H, W, 3) and the points (21, 2) in it of a hand in the middle of the picture."""
        body = self._body
        rotmats = np.tile(np.eye(3, dtype=np.float32), (1, len(body.skeleton), 1, 1))
        rotmats[0, self._joints] = rotations(angles[None], self.hand).as_matrix()
        betas = np.zeros((1, 10), np.float32)
        wrist = forward_kinematics(rotmats, body.rest_joints(betas), body.skeleton)[1][0, self._wrist]
        known = points(angles[None], self.hand)[0]
        T_cam = np.array((0, 0, DISTANCE_M)) - R_cam_palm.apply(known.mean(0))
        vertices = R_cam_palm.apply(body.vertices(rotmats, betas)[0] - wrist) + T_cam
        a, b, c = (vertices[self._faces[:, k]] for k in range(3))
        normals = np.zeros_like(vertices)
        for corner in range(3):
            np.add.at(normals, self._faces[:, corner], np.cross(b - a, c - a))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        colours = (0.35 + 0.65 * (normals @ light).clip(0, 1))[:, None] * SKIN_BGR
        pixels = CAMERA.project(vertices.astype(np.float32))
        fragments = rasterise(pixels, vertices[:, 2].astype(np.float32), self._faces, (SIDE_PX, SIDE_PX))
        drawn, mask = fragments.shade(colours)
        image = cv2.GaussianBlur(np.where(mask[..., None], drawn, WALL_BGR), (0, 0), 0.7)
        return image.clip(0, 255).astype(np.uint8), CAMERA.project((R_cam_palm.apply(known) + T_cam).astype(np.float32))


def look(studio: Studio, network: HandLandmarker, angles: Floats, turn: Rotation, rng: np.random.Generator) -> Seen:
    """Render a hand and look at it as a tracker does, in the square of its last landmarks."""
    light = rng.normal((0, -0.5, -1), 0.5)
    image, pixels = studio.render(angles, turn, light / np.linalg.norm(light))
    roi = around(pixels)
    for _ in range(ROUNDS):
        view = network(image, roi)
        roi = view.next_roi
    return Seen(image, view, angles, turn)


def any_view(rng: np.random.Generator) -> Rotation:
    """A view of the palm or of the back, off by up to 60 degrees about the forearm and 30 to 40 otherwise."""
    off = Rotation.from_euler("zxy", rng.uniform(-1, 1, 3) * (40, 60, 30), degrees=True)
    return PALM_TO_CAMERA * Rotation.from_euler("x", 180 * rng.integers(2), degrees=True) * off


def fit(fitter: HandFitter, seen: list[Seen]) -> Fitted:
    """Fit the hands to what the network says."""
    hands = [each.view.hand for each in seen]
    world_m, image_px = (np.stack([getattr(each, name) for each in hands]) for name in ("world_m", "image_px"))
    return fitter.fit(with_picture(world_m.astype(np.float64), image_px.astype(np.float64)))


def row(name: str, studio: Studio, fitter: HandFitter, seen: list[Seen]) -> str:
    """Make one row of the table."""
    sure = [each for each in seen if each.view.hand.presence > SURE and each.view.right < 0.5]
    fitted = fit(fitter, sure)
    known = rotations(np.stack([each.angles for each in sure]), studio.hand)
    found = Rotation.from_quat(quaternions(fitted.angles, fitter.frames).reshape(-1, 4))
    joints = apart_deg(found, known)
    palms = apart_deg(Rotation.from_matrix(fitted.R_cam_palm), Rotation.concatenate([each.R_cam_palm for each in sure]))
    off_mm = 1000 * studio.hand.length_m * np.median(fitted.off)
    figures = (joints.mean(), np.median(joints), np.median(palms), off_mm)
    return " | ".join((f"| {name}", f"{len(sure) / len(seen):.0%}", *(f"{figure:.1f}" for figure in figures))) + " |"


def cost(studio: Studio, body: BodyModel, seen: Seen) -> str:
    """Make the table of CPU times relative to the landmark estimator's, of the fastest of many short runs."""
    lens = PinholeCamera(640, 480)
    rest = np.tile(np.eye(3, dtype=np.float32), (1, len(body.skeleton), 1, 1))
    world_m = body.landmarks(rest, np.zeros((1, 10), np.float32))[1][0] * np.array((1, -1, -1), np.float32)
    in_view = lens.project(world_m + np.array((0, 0, 3), np.float32))
    keypoints = Keypoints(BLAZEPOSE, in_view, world_m, np.ones(len(BLAZEPOSE), np.float32))
    person = TrackedPerson(0, {"body": keypoints}, np.zeros(4, np.float32))
    estimator = LandmarkEstimator(body, token_smoothing=TokenSmoothing(window_s=0.03, takeover=1.2))
    frame = np.zeros((480, 640, 3), np.uint8)

    def estimates(k: int) -> tuple[Estimate, ...]:
        return estimator.people(Sighting(Frame(frame, k, k / 30), (person,)))

    whole = fastest_s(estimates)
    (estimate,) = estimates(10**6)
    completion, level = HandCompletion(studio.hand, body), LEVELS["light"]
    assert level is not None
    rows = ["| | of the estimator's CPU time |", "|---|---|"]
    for count, name in enumerate(("no hand", "one hand", "two hands")):
        hands: dict[Part, Keypoints] = dict.fromkeys(PARTS[:count], seen.view.hand)
        one = replace(estimate, person=replace(person, keypoints={**person.keypoints, **hands}))
        memory, filters = HandsMemory(), HandFilters(level)

        def completed(
            k: int, one: Estimate = one, memory: HandsMemory = memory, filters: HandFilters = filters
        ) -> None:
            filters.update(k / 30, completion.complete(k / 30, lens, one, memory).hands)

        rows.append(f"| {name} in a frame | {fastest_s(completed) / whole:.2f} |")
    return "\n".join(rows)


def fastest_s(call: Callable[[int], object], runs: int = 40, calls: int = 8) -> float:
    """CPU seconds of a call with rising numbers, in the fastest of the runs."""
    times = []
    for run in range(runs):
        start = time.process_time()
        for k in range(calls):
            call(1 + run * calls + k)
        times.append(time.process_time() - start)
    return min(times) / calls


def strip(studio: Studio, network: HandLandmarker, fitter: HandFitter) -> NDArray[np.uint8]:
    """Draw three views of each gesture: with the network's landmarks, and as fitted."""
    rng = np.random.default_rng(0)
    views = [Rotation.from_euler("zx", each, degrees=True) for each in ((15, -25), (0, -70), (-10, 200))]
    rows = []
    for name in GESTURES_DEG:
        cells = []
        for off in views:
            seen = look(studio, network, gesture(name), PALM_TO_CAMERA * off, rng)
            fitted = fit(fitter, [seen])
            for a, b in HAND.bones:
                ends = seen.view.hand.image_px[[a, b]].round().astype(int).tolist()
                cv2.line(seen.image, ends[0], ends[1], (0, 255, 0), 1, cv2.LINE_AA)
            again, _ = studio.render(
                fitted.angles[0], Rotation.from_matrix(fitted.R_cam_palm[0]), np.array((0.3, -0.5, -0.8))
            )
            cells += [seen.image, again]
        cv2.putText(cells[0], name, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 1, cv2.LINE_AA)
        rows.append(np.hstack(cells))
    return np.vstack(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--body", default="open-hands", help="a body with fingers")
    parser.add_argument("--strip", type=Path, help="write the picture strip to this file")
    arguments = parser.parse_args()
    studio = Studio(load_body(arguments.body))
    fitter = HandFitter(studio.hand)
    network = HandLandmarker(load_network(fetch(HAND_LANDMARKS), SPEC))
    rng = np.random.default_rng(0)
    print("| hand | found | joints, mean | joints, median | palm, median | landmarks mm, median |")
    print("|---|---|---|---|---|---|")
    for name in GESTURES_DEG:
        spread = rng.normal(0, np.radians(4), (VIEWS, 5, 5)) * (1, 1, 0.3, 1, 1)
        seen = [look(studio, network, gesture(name) + each, any_view(rng), rng) for each in spread]
        print(row(name, studio, fitter, seen))
    seen = [look(studio, network, each, any_view(rng), rng) for each in natural(rng, RANDOM)]
    print(row("random", studio, fitter, seen))
    print()
    print(cost(studio, load_body(arguments.body).core, max(seen, key=lambda each: each.view.hand.presence)))
    if arguments.strip:
        cv2.imwrite(str(arguments.strip), strip(studio, network, fitter))


if __name__ == "__main__":
    main()
