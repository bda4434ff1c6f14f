from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.hand import published_hand
from engine.body.keypoints import Keypoints
from engine.body.projection import PinholeCamera
from engine.body.rotations import angle_between
from engine.body.skeleton import SIDES, SMPL
from realtime.estimate.hands.completion import HandCompletion
from realtime.estimate.hands.joints import RELAXED
from realtime.estimate.hands.memory import HandsMemory
from realtime.kernel.messages import CameraPose, Estimate
from tests.realtime.estimate.hands.posed import (
    RANGES_DEG,
    angles_of,
    apart_deg,
    gesture,
    natural,
    points,
    rotations,
    seen_hand,
)
from tests.realtime.seen_people import somebody

FPS = 30
BODY, HAND = load_body("open"), published_hand()
COMPLETION = HandCompletion(HAND, BODY)
LENS = PinholeCamera(640, 480, 60.0)
ARMS = SMPL.indices(f"{side}_{joint}" for joint in ("elbow", "wrist") for side in SIDES)
UPRIGHT = np.diag([1.0, -1.0, -1.0])  # faces the camera
MIRROR = np.diag([-1.0, 1.0, 1.0])


def body_pose(wrists: Mapping[str, Rotation] = MappingProxyType({})) -> CameraPose:
    """A body before the camera, with bent elbows and these wrists."""
    rotmats = np.tile(np.eye(3), (24, 1, 1))
    rotmats[0] = UPRIGHT
    for side, sign in zip(SIDES, (1, -1), strict=True):
        rotmats[SMPL.index(f"{side}_elbow")] = Rotation.from_rotvec((0, -sign * 0.8, 0)).as_matrix()
        rotmats[SMPL.index(f"{side}_wrist")] = wrists.get(side, Rotation.identity()).as_matrix()
    return CameraPose(rotmats.astype(np.float32), np.array([0, 0, 2], np.float32), np.zeros(10, np.float32))


def world_rotmat(pose: CameraPose, joint: int) -> np.ndarray:
    turn = np.eye(3)
    while joint >= 0:
        turn, joint = pose.rotmats[joint] @ turn, int(SMPL.parents[joint])
    return turn


def seen(side: str, angles: np.ndarray, pose: CameraPose, noise_m: float = 0.0, seed: int = 0) -> Keypoints:
    """The hand of a body in this pose, as a detector would see it in the middle of the picture."""
    palm = world_rotmat(pose, SMPL.index(f"{side}_wrist"))
    left = points(angles[None], HAND)[0]
    world_m = (left if side == "left" else left * (-1, 1, 1)) @ palm.T
    return seen_hand(world_m + np.random.default_rng(seed).normal(0, noise_m, world_m.shape))


def estimate(pose: CameraPose, hands: Mapping[str, Keypoints]) -> Estimate:
    person = somebody(0)
    person = replace(person, keypoints={**person.keypoints, **{f"{side}_hand": each for side, each in hands.items()}})
    return Estimate(person, 0.9, np.zeros(3, np.int16), pose, pose, np.ones(24, np.float32))


def run(
    count: int, hands: Callable[[int], Mapping[str, Keypoints]], pose: CameraPose, memory: HandsMemory | None = None
) -> list[Estimate]:
    """Estimates of frames 0.. of a body in one pose, with the hands that `hands` gives for each."""
    memory = memory or HandsMemory()
    return [COMPLETION.complete(k / FPS, LENS, estimate(pose, hands(k)), memory) for k in range(count)]


def alternating(angles: np.ndarray, pose: CameraPose, noise_m: float = 0.0) -> Callable[[int], Mapping[str, Keypoints]]:
    return lambda k: {SIDES[k % 2]: seen(SIDES[k % 2], angles, pose, noise_m, k)}


@pytest.mark.parametrize("name", ["fist", "open", "point", "thumb up", "ok"])
def test_fingers_of_both_hands_come_back_when_each_is_measured_in_every_second_frame(name: str) -> None:
    last = run(30, alternating(gesture(name), body_pose(), 0.001), body_pose())[-1]
    known = rotations(gesture(name)[None], HAND).as_quat()
    for side, mirror in zip(SIDES, ((1, 1, 1, 1), (1, -1, -1, 1)), strict=True):
        hand = last.hands[side]
        off_deg = apart_deg(Rotation.from_quat(hand.rotations), Rotation.from_quat(known * mirror))
        assert off_deg.mean() < 5
        assert off_deg.max() < 15
        assert hand.confidence > 0.9
        np.testing.assert_allclose(np.linalg.norm(hand.rotations, axis=-1), 1, atol=1e-5)


def test_the_palm_turns_the_forearm_and_the_wrist() -> None:
    """The body's network leaves the wrist straight; the picture shows it turned by 70 degrees and bent by 30."""
    real = {
        "left": Rotation.from_rotvec((np.radians(70), 0, 0)) * Rotation.from_rotvec((0, 0, -np.radians(30))),
        "right": Rotation.from_rotvec((np.radians(70), 0, 0)) * Rotation.from_rotvec((0, 0, np.radians(30))),
    }
    last = run(30, alternating(gesture("fist"), body_pose(real)), body_pose())[-1]
    for side in SIDES:
        wrist, elbow = (SMPL.index(f"{side}_{joint}") for joint in ("wrist", "elbow"))
        for pose in (last.raw, last.steady):
            off = angle_between(world_rotmat(pose, wrist), world_rotmat(body_pose(real), wrist))
            assert np.degrees(off) < 5  # priors, made for the network's noise, open a fist a little
            turned = angle_between(pose.rotmats[elbow], body_pose().rotmats[elbow])
            assert np.degrees(turned) == pytest.approx(55, abs=2)  # the wrist keeps 15 degrees of the turn


def test_an_unsure_palm_does_not_turn_the_arm() -> None:
    """A doubtful look at a hand turned a forearm by 72 degrees for a third of a second, in a clip."""
    real = body_pose({"left": Rotation.from_rotvec((np.radians(70), 0, 0))})
    for presence, most_deg in ((0.35, 12), (0.9, 80)):
        look = replace(seen("left", gesture("fist"), real), presence=presence)
        last = run(30, lambda k, look=look: {"left": look}, body_pose())[-1]
        turned = np.degrees(angle_between(last.raw.rotmats[ARMS], body_pose().rotmats[ARMS]).max())
        assert turned < most_deg
    assert turned > 50


def test_a_hand_beside_the_optical_axis_is_seen_along_its_ray() -> None:
    """A crop shows a hand as it looks from the camera, not as it would look in the middle of the picture."""
    pose = body_pose()
    hand = seen("left", gesture("fist"), pose)
    ray = LENS.ray_rotation(np.array([600.0, 240.0]))
    beside = seen_hand(hand.world_m @ ray, center_px=(600, 240))
    last = run(30, lambda k: {"left": beside}, pose)[-1]
    wrist = SMPL.index("left_wrist")
    assert np.degrees(angle_between(world_rotmat(last.raw, wrist), world_rotmat(pose, wrist))) < 4


def test_a_lost_hand_relaxes_in_half_a_second_and_comes_back_in_a_fifth() -> None:
    pose, relaxed = body_pose(), rotations(RELAXED[None], HAND)
    fist = rotations(gesture("fist")[None], HAND)

    def shown(k: int) -> Mapping[str, Keypoints]:
        return {} if 30 <= k < 60 else alternating(gesture("fist"), pose)(k)

    frames = run(90, shown, pose)
    hands = [each.hands["left"] for each in frames]
    from_fist, from_relaxed = (
        np.array([apart_deg(Rotation.from_quat(hand.rotations), known).max() for hand in hands])
        for known in (fist, relaxed)
    )
    assert from_fist[29] < 12
    assert hands[29].confidence > 0.9
    assert from_relaxed[52] < 1  # 0.15 s without a measurement, then half a second
    assert hands[52].confidence == 0
    assert from_fist[68] < 12
    assert hands[68].confidence > 0.9
    assert np.abs(np.diff(from_fist)).max() < 30
    assert (hands[59].raw == hands[29].raw).all()  # the latest measurement alone


def test_hands_that_were_never_seen_are_relaxed_and_leave_the_arms_alone() -> None:
    (only,) = run(1, lambda k: {}, body_pose())
    assert only.raw.rotmats is not None
    assert (only.raw.rotmats == body_pose().rotmats).all()
    off_deg = apart_deg(Rotation.from_quat(only.hands["left"].rotations), rotations(RELAXED[None], HAND))
    assert off_deg.max() < 0.01
    assert [only.hands[side].confidence for side in SIDES] == [0, 0]


def largest_turn_deg(frames: list[Estimate]) -> float:
    turns = [np.stack([each.raw.rotmats, each.steady.rotmats])[:, ARMS] for each in frames]
    return float(np.degrees(max(angle_between(a, b).max() for a, b in pairwise(turns))))


def test_no_arm_flips_when_frames_are_garbage() -> None:
    """Left seen as right, a mirror image, points of nothing, a palm that faces the other way for one frame."""
    pose, fist = body_pose(), gesture("fist")
    rng = np.random.default_rng(0)
    about = {side: Rotation.from_rotvec((np.pi - 0.1, 0, 0)) for side in SIDES}

    def shown(k: int) -> Mapping[str, Keypoints]:
        side = SIDES[k % 2]
        good = seen(side, fist, pose)
        if k % 10 < 2:
            other = seen(SIDES[1 - k % 2], fist, pose).world_m
            kinds = (
                good.world_m * (-1, 1, 1), good.world_m * (1, 1, -1), rng.normal(0, 0.05, (21, 3)), other,
                seen(side, fist, body_pose(about)).world_m,
            )  # fmt: skip
            return {side: seen_hand(kinds[k // 10 % 5])}
        return {side: good}

    frames = run(200, shown, pose)
    assert largest_turn_deg(frames) < 25
    off = angle_between(frames[-1].raw.rotmats[ARMS], pose.rotmats[ARMS]).max()
    assert np.degrees(off) < 10


def test_no_arm_flips_while_the_palm_turns_all_the_way_through_its_edge() -> None:
    """Further than any arm can: it stays at its limit, and comes round on the other side."""

    def shown(k: int) -> Mapping[str, Keypoints]:
        turned = Rotation.from_rotvec((np.radians(4 * k), 0, 0))
        return {side: seen(side, gesture("fist"), body_pose({side: turned}), 0.002, k) for side in SIDES}

    frames = run(300, shown, body_pose())
    assert largest_turn_deg(frames) < 60


def anything(rng: np.random.Generator, side: str) -> dict[str, Keypoints]:
    """A good hand in any arm's pose, a mirror image, points of nothing, numbers that are none, or no hand at all."""
    kind = rng.choice(["none", "good", "good", "mirrored", "noise", "nan", "tiny"])
    wrist = Rotation.from_rotvec(rng.normal(0, 1, 3))
    hand = seen(side, natural(rng, 1)[0], body_pose({side: wrist}), 0.004, int(rng.integers(1 << 30)))
    world_m = hand.world_m * {"mirrored": (-1, 1, 1), "nan": np.nan, "tiny": 1e-9}.get(kind, 1)
    if kind == "noise":
        world_m = rng.normal(0, 0.06, world_m.shape)
    return {} if kind == "none" else {side: seen_hand(world_m, presence=float(rng.uniform()))}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([12, 30, 60]))
def test_whatever_is_seen_numbers_are_finite_limits_hold_and_no_arm_flips(seed: int, fps: int) -> None:
    rng, memory, pose = np.random.default_rng(seed), HandsMemory(), body_pose()
    frames = []
    for k in range(40):
        hands = anything(rng, "left") | anything(rng, "right")
        frames.append(COMPLETION.complete(k / fps, LENS, estimate(pose, hands), memory))
    for side, mirror in zip(SIDES, ((1, 1, 1, 1), (1, -1, -1, 1)), strict=True):
        shown = np.stack([each.hands[side].rotations for each in frames]) * mirror
        np.testing.assert_allclose(np.linalg.norm(shown, axis=-1), 1, atol=1e-5)
        degrees = angles_of(Rotation.from_quat(shown.reshape(-1, 4)), HAND)
        assert (degrees > RANGES_DEG[..., 0] - 0.1).all()
        assert (degrees < RANGES_DEG[..., 1] + 0.1).all()
        confidence = np.array([each.hands[side].confidence for each in frames])
        assert ((confidence >= 0) & (confidence <= 1)).all()
    assert np.isfinite([each.raw.rotmats for each in frames]).all()
    assert largest_turn_deg(frames) < 90


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["nan", "one point", "tiny", "far", "huge", "infinite", "small in the picture"])
def test_bad_landmarks_are_no_hand(kind: str) -> None:
    pose = body_pose()
    good = seen("left", gesture("fist"), pose)
    world_m, image_px = good.world_m.copy(), good.image_px
    if kind == "nan":
        world_m[7] = np.nan
    elif kind == "one point":
        world_m[:] = 0.3
    elif kind == "tiny":
        world_m *= np.float32(1e-6)
    elif kind == "far":
        world_m *= np.float32(1e6)
    elif kind == "huge":
        image_px = image_px + np.float32(1e38)
    elif kind == "infinite":
        image_px = np.full_like(image_px, np.inf)
    else:
        image_px = (image_px - image_px[0]) * np.float32(0.05)
    bad = replace(good, world_m=world_m, image_px=image_px)
    frames = run(10, lambda k: {"left": bad}, pose)
    assert frames[-1].hands["left"].confidence == 0
    assert np.isfinite(frames[-1].hands["left"].rotations).all()
    assert (frames[-1].raw.rotmats == pose.rotmats).all()


def test_the_person_s_own_proportions_are_learnt() -> None:
    pose, memory = body_pose(), HandsMemory()
    longer = points(gesture("open")[None], HAND)[0]
    longer[5:9] = longer[5] + 1.15 * (longer[5:9] - longer[5])  # a longer index finger
    world_m = longer @ world_rotmat(pose, SMPL.index("left_wrist")).T
    run(200, lambda k: {"left": seen_hand(world_m)}, pose, memory)
    index = memory.proportions[0] / memory.proportions[1]
    assert index[0] == pytest.approx(1, abs=0.02)
    assert index[1:] == pytest.approx(1.15, abs=0.02)
