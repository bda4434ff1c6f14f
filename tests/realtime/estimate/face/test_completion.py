from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.body.expressions import BLENDSHAPES
from engine.body.keypoints import Keypoints
from engine.body.projection import PinholeCamera
from engine.body.rotations import angle_between, rotmat_from_axis_angle
from engine.face.rig import RIG as RIG_FILE
from realtime.estimate.face.completion import FaceCompletion
from realtime.estimate.face.memory import FaceMemory
from realtime.estimate.face.neck import HEAD, NECK, head_of
from realtime.kernel.messages import CameraPose, Estimate, Face, TrackedPerson
from realtime.smoothing.face import FaceFilters
from realtime.smoothing.pose_smoother import LEVELS
from tests.realtime.estimate.face.acted import FACING, RIG, face, turned

LENS = PinholeCamera(640, 480, 60.0)
NO_FACE = None


def at(names: Iterable[str]) -> list[int]:
    return [BLENDSHAPES.index(name) for name in names]


def estimate(seen: Keypoints | None, R_cam_root: np.ndarray = FACING) -> Estimate:
    rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
    rotmats[0] = R_cam_root
    pose = CameraPose(rotmats, np.array([0, 0, 2], np.float32), np.zeros(10, np.float32))
    keypoints = {} if seen is None else {"face": seen}
    person = TrackedPerson(1, keypoints, np.zeros(4, np.float32))  # type: ignore[arg-type]
    return Estimate(person, 1.0, np.zeros(4, np.int16), pose, pose, np.ones(24, np.float32))


class Acted:
    """One person's face over time, on a clock of its own."""

    def __init__(self, fps: float = 30.0, level: str = "off", *, calibrated: bool = True) -> None:
        self.completion = FaceCompletion(neutral_m=RIG.neutral_m if calibrated else None)
        self.memory, self.t, self.dt = FaceMemory(), 0.0, 1 / fps
        parameters = LEVELS[level]
        self.filters = None if parameters is None else FaceFilters(parameters)

    def see(self, seen: Keypoints | None) -> Estimate:
        self.t += self.dt
        done = self.completion.complete(self.t, LENS, estimate(seen), self.memory)
        assert done.face is not None
        return done if self.filters is None else replace(done, face=self.filters.update(self.t, done.face))

    def play(self, seconds: float, seen: Callable[[float], Keypoints | None]) -> list[tuple[float, Estimate]]:
        start, played = self.t, []
        while self.t - start < seconds - 1e-9:
            done = self.see(seen(self.t + self.dt - start))
            played.append((self.t - start, done))
        return played


def shown(done: Estimate) -> Face:
    assert done.face is not None
    return done.face


def head_deg(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(angle_between(a.astype(np.float64), b.astype(np.float64))))


@pytest.mark.parametrize("level", list(LEVELS))
@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0])
@pytest.mark.parametrize("phase", [0.0, 0.4])
def test_a_blink_of_100_ms_reaches_0_8(level: str, fps: float, phase: float) -> None:
    """Lids close within 35 ms, stay shut for 30, and open. Perception looks into both eyes in a blink, or one."""
    acted, frames = Acted(fps, level), iter(range(10_000))
    slow = fps < 20
    at_s, both = 1.0 + phase / fps, slow

    def blink(t: float) -> Keypoints:
        nonlocal both
        shut = float(np.clip(min(t - at_s, at_s + 0.1 - t) / 0.035, 0, 1))
        frame = next(frames)
        eyes = (both or frame % 2 == 0, both or frame % 2 == 1)
        both = slow or shut > 0.2  # then perception looks into both
        return face(shut=(shut, shut), eyes=eyes, noise_m=0.0003, seed=frame)

    played = acted.play(1.6, blink)
    lids = np.array([shown(done).blendshapes[at(("eyeBlinkLeft", "eyeBlinkRight"))] for _, done in played])
    times = np.array([t for t, _ in played])
    assert lids[(times > 0.5) & (times < 0.95)].max() < 0.25
    assert (lids.max(axis=0) >= 0.8).all()
    assert lids[times > 1.45].max() < 0.3


@pytest.mark.parametrize("level", ["light", "medium", "strong"])
def test_smoothing_calms_a_face_at_rest(level: str) -> None:
    def jitter(name: str) -> float:
        acted, seeds = Acted(30.0, name), iter(range(1000))
        played = acted.play(2.0, lambda _: face({"mouthSmileLeft": 0.5}, noise_m=0.0006, seed=next(seeds)))
        values = np.array([shown(done).blendshapes for t, done in played if t > 0.8])
        return float(np.abs(np.diff(values, axis=0)).mean())

    assert jitter(level) < 0.7 * jitter("off")


@pytest.mark.parametrize("head", [(0, 0, 0), (20, 0, 0), (-20, 10, 0), (0, -15, 20), (10, 5, -90)])
def test_turning_the_head_does_not_change_the_expression(head: tuple[float, float, float]) -> None:
    expression = {"mouthSmileLeft": 0.7, "jawOpen": 0.4, "browInnerUp": 0.6}
    straight, turned_away = Acted(), Acted()
    for _ in range(30):
        a = straight.see(face(expression, gaze_deg=(10, 5)))
        b = turned_away.see(face(expression, gaze_deg=(10, 5), R_cam_head=turned(*head)))
    np.testing.assert_allclose(shown(b).blendshapes, shown(a).blendshapes, atol=0.05)
    for name, value in expression.items():
        assert shown(a).blendshapes[BLENDSHAPES.index(name)] == pytest.approx(value, abs=0.2)


@given(st.floats(-30, 30), st.floats(-20, 20), st.floats(-25, 25), st.floats(-20, 20))
@settings(max_examples=40, deadline=None)
def test_gaze_is_relative_to_the_head(yaw: float, pitch: float, head_yaw: float, head_pitch: float) -> None:
    acted = Acted()
    for _ in range(12):
        done = acted.see(face(gaze_deg=(yaw, pitch), R_cam_head=turned(head_yaw, head_pitch)))
    np.testing.assert_allclose(np.degrees(shown(done).gaze_rad), (yaw, pitch), atol=2.5)


def test_gaze_is_limited_and_looks_agree_with_it() -> None:
    acted = Acted()
    for _ in range(12):
        done = acted.see(face(gaze_deg=(60, 0)))
    assert np.degrees(shown(done).gaze_rad[0]) == pytest.approx(35, abs=0.5)
    looks = dict(zip(BLENDSHAPES, shown(done).blendshapes, strict=True))
    assert looks["eyeLookOutLeft"] > 0.95
    assert looks["eyeLookInRight"] > 0.95
    assert looks["eyeLookInLeft"] == looks["eyeLookOutRight"] == 0


def test_gaze_holds_through_a_blink() -> None:
    acted = Acted()
    for _ in range(12):
        before = acted.see(face(gaze_deg=(15, 0)))
    for _ in range(3):
        shut = acted.see(face(gaze_deg=(-30, -20), shut=(1, 1)))
    np.testing.assert_allclose(shown(shut).gaze_rad, shown(before).gaze_rad, atol=1e-6)


def test_the_head_follows_the_face_and_the_neck_shares() -> None:
    acted, truth = Acted(), turned(40, 10, 5)
    for _ in range(30):
        done = acted.see(face(R_cam_head=truth))
    assert head_deg(head_of(done.raw), truth) < 2
    for joint in (NECK, HEAD):
        assert 10 < head_deg(done.raw.rotmats[joint], np.eye(3)) < 35


def test_a_neck_has_limits() -> None:
    acted = Acted()
    acted.memory.begin(0.0)
    for _ in range(30):
        done = acted.see(face(R_cam_head=turned(0, -60, 0) @ rotmat_from_axis_angle(np.array([0, 0, 1.2]))))
    between = head_of(done.raw).T @ FACING
    assert head_deg(between, np.eye(3)) < 90


def test_a_lost_face_eases_to_neutral_and_comes_back_without_a_jump() -> None:
    acted = Acted()
    smiling = face({"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}, R_cam_head=turned(30))
    acted.play(1.0, lambda _: smiling)
    lost = acted.play(1.0, lambda _: NO_FACE)
    back = acted.play(0.6, lambda _: smiling)
    played = [*lost, *back]
    smile = np.array([shown(done).blendshapes[BLENDSHAPES.index("mouthSmileLeft")] for _, done in played])
    assert smile[2] > 0.7  # a few missing frames change nothing
    assert smile[len(lost) - 1] == 0
    assert smile[-1] > 0.7
    assert np.abs(np.diff(smile)).max() < 0.3
    assert shown(lost[-1][1]).confidence == 0
    assert shown(back[-1][1]).confidence > 0.9
    assert head_deg(head_of(lost[-1][1].raw), FACING) < 0.1
    heads = [head_of(done.raw) for _, done in played]
    assert max(head_deg(a, b) for a, b in pairwise(heads)) < 15


def test_a_face_that_flips_for_a_frame_is_not_believed() -> None:
    acted = Acted()
    acted.play(0.6, lambda _: face(R_cam_head=turned(25)))
    flipped = acted.see(face(R_cam_head=turned(25, 0, 170)))
    assert head_deg(head_of(flipped.raw), turned(25)) < 2
    heads = [head_of(done.raw) for _, done in acted.play(1.0, lambda _: face(R_cam_head=turned(-50)))]
    assert max(head_deg(a, b) for a, b in pairwise(heads)) < 90
    assert head_deg(heads[-1], turned(-50)) < 3


@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("a profile", face(R_cam_head=turned(75))),
        ("a small one", face()),
        ("a doubtful one", face(presence=0.2)),
        ("one outside of the picture", face(at_px=(-500.0, 240.0))),
    ],
)
def test_confidence_falls(what: str, seen: Keypoints) -> None:
    if what == "a small one":
        seen = Keypoints(seen.layout, seen.image_px * np.float32(0.1), seen.world_m, seen.visibility)
    if what == "one outside of the picture":
        seen = Keypoints(seen.layout, seen.image_px, seen.world_m, np.full_like(seen.visibility, 0.05))
    acted = Acted()
    good = acted.play(0.6, lambda _: face())[-1][1]
    bad = acted.play(1.0, lambda _: seen)[-1][1]
    assert shown(good).confidence > 0.9
    assert shown(bad).confidence < 0.31


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_never_pass(broken: float) -> None:
    acted = Acted()
    acted.play(0.5, lambda _: face())
    good = face()
    for array in ("image_px", "world_m"):
        values = getattr(good, array).copy()
        values[100] = broken
        done = acted.see(replace(good, **{array: values}))
        assert np.isfinite(done.raw.rotmats).all()
        assert np.isfinite(shown(done).blendshapes).all()
        assert np.isfinite(shown(done).gaze_rad).all()


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.3))
@settings(max_examples=30, deadline=None)
def test_any_points_give_a_face_within_bounds(seed: int, noise_m: float) -> None:
    acted = Acted(calibrated=False)
    for k in range(6):
        done = acted.see(face(noise_m=noise_m, seed=seed + k))
        values = shown(done).blendshapes
        assert np.isfinite(values).all()
        assert values.min() >= 0
        assert values.max() <= 1
        assert (np.abs(np.degrees(shown(done).gaze_rad)) <= (35.01, 25.01)).all()
        square = done.raw.rotmats @ done.raw.rotmats.swapaxes(1, 2)
        np.testing.assert_allclose(square, np.tile(np.eye(3), (24, 1, 1)), atol=1e-4)


def test_a_mirrored_face_exchanges_left_and_right() -> None:
    with np.load(RIG_FILE) as file:
        mirror = file["mirror"]
    expression = {"mouthSmileLeft": 0.8, "browDownRight": 0.7, "jawLeft": 0.6}
    a, b = Acted(), Acted()
    for _ in range(20):
        one = a.see(face(expression))
        seen = face(expression)
        order = np.concatenate([mirror, np.arange(473, 478), np.arange(468, 473)])
        other = b.see(
            Keypoints(
                seen.layout,
                seen.image_px[order] * np.array([-1, 1], np.float32) + np.array([640, 0], np.float32),
                seen.world_m[order] * np.array([-1, 1, 1], np.float32),
                seen.visibility[order],
            )
        )
    swapped = [name.replace("Left", "?").replace("Right", "Left").replace("?", "Right") for name in BLENDSHAPES]
    np.testing.assert_allclose(shown(other).blendshapes, shown(one).blendshapes[at(swapped)], atol=0.02)


def test_a_neutral_face_is_learnt_from_calm_seconds() -> None:
    """A long chin and low brows are the person's own, and are no expression after the first seconds."""
    rng = np.random.default_rng(3)
    own = RIG.neutral_m * np.array([0.97, 1.06, 1.0], np.float32)
    own = own + np.float32(0.5) * RIG.moves_m[np.array([0, 2])].sum(axis=0)
    acted = Acted(calibrated=False)
    seeds = iter(rng.integers(0, 2**31, 10_000))
    played = acted.play(6.0, lambda _: face(neutral_m=own, noise_m=0.0002, seed=int(next(seeds))))
    assert shown(played[-1][1]).blendshapes.max() < 0.15
    smiling = face({"mouthSmileLeft": 0.9}, neutral_m=own)
    values = shown(acted.play(0.5, lambda _: smiling)[-1][1]).blendshapes
    assert values[BLENDSHAPES.index("mouthSmileLeft")] > 0.6


def test_a_face_that_laughs_from_the_start_still_laughs_a_little() -> None:
    laughing = {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}
    seeds = iter(range(10_000))
    acted = Acted(calibrated=False)
    played = acted.play(6.0, lambda _: face(laughing, noise_m=0.0002, seed=next(seeds)))
    values = shown(played[-1][1]).blendshapes
    assert values[BLENDSHAPES.index("mouthSmileLeft")] > 0.25
