"""The tokenhmr estimator on a small random network: shapes, frames and plumbing, not accuracy."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.camera import SMPL_PELVIS_M
from engine.engines.backends.base import BuildRequest, GraphSession
from engine.engines.build import build
from engine.engines.runtime import PoseEngine, load_engine
from engine.errors import UserError
from engine.tokenhmr.network import TokenHmrConfig
from engine.tokenhmr.pose_decoder import PoseDecoderConfig
from engine.tokenhmr.random_weights import write
from engine.tokenhmr.token_head import TokenHeadConfig
from engine.tokenhmr.vit import VitConfig
from engine.tokens.released import ReleasedTokenizerConfig
from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from realtime.estimate.estimator import EstimatorConfig, create_estimator
from realtime.estimate.tokenhmr import TokenHmrEstimator
from realtime.estimate.tokens import TokenSmoothing
from realtime.kernel.messages import Camera, Frame, Sighting
from realtime.perception.crop import tokenhmr_crop
from tests.realtime.seen_people import seen_body, somebody

ROOT = Path(__file__).resolve().parents[3]
SMALL = TokenHmrConfig(
    vit=VitConfig(depth=1, dim=64, mlp_dim=64),
    decoder=PoseDecoderConfig(depth=2, dim=48, inner_dim=32, mlp_dim=32, context_dim=64),
    head=TokenHeadConfig(in_dim=48, codes=64, hidden=16, blocks=1, token_mlp=16, channel_mlp=16),
    tokenizer=ReleasedTokenizerConfig(codes=64, code_dim=16, width=24),
)
BOXES = np.array([[100, 40, 220, 400], [300, 60, 420, 380], [430, 100, 600, 300]], np.float32)


@pytest.fixture(scope="module")
def engine_folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("tokenhmr")
    build(*write(root, SMALL), "torch", root / "engine", BuildRequest("fp32", max_batch=2))
    return root / "engine"


@pytest.fixture(scope="module")
def engine(engine_folder) -> PoseEngine:
    return load_engine(engine_folder)


def sighting(boxes: np.ndarray = BOXES, t: float = 0.0, seed: int = 0) -> Sighting:
    image = np.random.default_rng(seed).integers(0, 255, (480, 640, 3), np.uint8)
    seen = seen_body(presence=0.8)
    people = tuple(somebody(i + 7, seen, box) for i, box in enumerate(boxes))
    return Sighting(Frame(image, 0, t), people)


def test_each_person_gets_what_the_engine_says_of_their_crop(engine, stick_body):
    seen = sighting()
    estimates = TokenHmrEstimator(stick_body, engine).people(seen)
    assert [estimate.person.id for estimate in estimates] == [7, 8, 9]
    for estimate, box in zip(estimates, BOXES, strict=True):
        margin = 0.1 * (box[2:] - box[:2])
        crop = tokenhmr_crop(seen.frame.image_bgr, np.concatenate((box[:2] - margin, box[2:] + margin)))
        answer = engine.infer(crop[None])
        np.testing.assert_allclose(estimate.raw.rotmats, answer.rotmats[0], atol=1e-5)
        np.testing.assert_allclose(estimate.raw.betas, answer.betas[0], atol=1e-5)
        assert np.array_equal(estimate.tokens, answer.token_probabilities[0].argmax(-1))
        assert estimate.tokens.dtype == np.int16
        assert estimate.steady is estimate.raw
        assert estimate.confidence == pytest.approx(0.8)
        np.testing.assert_allclose(estimate.joint_confidence, 1.0, atol=1e-6)  # as the detector's landmarks have it


def test_the_body_stands_where_the_crop_shows_it(engine, stick_body):
    """SMPL's origin, which is the pelvis less its rest position, falls onto the place that the weak camera says."""
    seen = sighting()
    estimator = TokenHmrEstimator(stick_body, engine, camera=Camera(75.0))
    for estimate, box in zip(estimator.people(seen), BOXES, strict=True):
        margin = 0.1 * (box[2:] - box[:2])
        grown = np.concatenate((box[:2] - margin, box[2:] + margin))
        s, tx, ty = engine.infer(tokenhmr_crop(seen.frame.image_bgr, grown)[None]).cam[0]
        side = max((grown[2] - grown[0]) * 256 / 192, grown[3] - grown[1])
        origin = estimate.raw.T_cam_root - stick_body.rest_joints(estimate.raw.betas[None])[0, 0]
        focal_px = 320 / np.tan(np.radians(37.5))
        pixel = focal_px * origin[:2] / origin[2] + (320, 240)
        expected = (grown[:2] + grown[2:]) / 2 + side * s * np.array([tx, ty]) / 2
        np.testing.assert_allclose(pixel, expected, atol=0.05)


@pytest.mark.parametrize("space", ["open", "SMPL-H", "SMPL-X"])
def test_a_body_whose_shapes_are_not_smpls_keeps_its_mean_shape(engine, stick_body, space):
    """The poses are the same as on SMPL, and the pelvis is where SMPL's would be."""
    smpl = TokenHmrEstimator(stick_body, engine).people(sighting())
    own = TokenHmrEstimator(replace(stick_body, shape_space=space), engine).people(sighting())
    for theirs, ours in zip(smpl, own, strict=True):
        np.testing.assert_array_equal(ours.raw.betas, np.zeros(10))
        np.testing.assert_array_equal(ours.raw.rotmats, theirs.raw.rotmats)
        origin = theirs.raw.T_cam_root - stick_body.rest_joints(theirs.raw.betas[None])[0, 0]
        np.testing.assert_allclose(ours.raw.T_cam_root, origin + SMPL_PELVIS_M, atol=1e-5)


def test_smoothing_holds_a_still_picture_and_steadies_a_changing_one(engine, stick_body):
    smoothing = TokenSmoothing(window_s=0.2, takeover=1e9)
    estimator = TokenHmrEstimator(stick_body, engine, token_smoothing=smoothing)
    first = estimator.people(sighting(t=0.0))
    still = estimator.people(sighting(t=0.03))
    for before, after in zip(first, still, strict=True):
        np.testing.assert_allclose(after.steady.rotmats, before.raw.rotmats, atol=1e-4)
    changed = estimator.people(sighting(t=0.06, seed=1))
    for before, after in zip(still, changed, strict=True):
        moved = np.abs(after.raw.rotmats - before.raw.rotmats)[1:22].max()
        followed = np.abs(after.steady.rotmats - before.steady.rotmats)[1:22].max()
        assert 0 < followed < 0.5 * moved
        assert np.array_equal(after.steady.rotmats[0], after.raw.rotmats[0])


def test_boxes_that_are_no_boxes_are_left_out(engine, stick_body):
    boxes = np.array([BOXES[0], [10, 10, 10, 50], [np.nan, 0, 10, 10]], np.float32)
    assert [e.person.id for e in TokenHmrEstimator(stick_body, engine).people(sighting(boxes))] == [7]
    assert TokenHmrEstimator(stick_body, engine).people(sighting(boxes[1:])) == ()


class _SometimesNan:
    """A session whose answer for the first person of a batch is not finite, as fp16 does when it overflows."""

    def __init__(self, session: GraphSession) -> None:
        self._session = session

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        answer = self._session.run(inputs)
        answer["body_pose"][0, 3] = np.nan
        return answer

    def close(self) -> None:
        """Nothing is held."""


def test_numbers_that_are_not_finite_are_dropped_counted_and_said_once(engine, stick_body, caplog):
    sessions = dict(engine.sessions, network=_SometimesNan(engine.sessions["network"]))
    estimator = TokenHmrEstimator(stick_body, PoseEngine(engine.manifest, sessions, engine.device))
    with caplog.at_level(logging.WARNING):
        for t in (0.0, 0.1):
            assert [e.person.id for e in estimator.people(sighting(t=t))] == [8]  # 7 and 9 open a batch each
    assert estimator.dropped == 4
    assert len([r for r in caplog.records if "not finite" in r.message]) == 1


def test_what_is_wrong_with_an_engine_is_a_users_error(tmp_path, stick_body):
    with pytest.raises(UserError, match="needs --engine DIR"):
        create_estimator(EstimatorConfig("tokenhmr"), stick_body)
    with pytest.raises(UserError, match="is no engine"):
        create_estimator(EstimatorConfig("tokenhmr", engine=tmp_path), stick_body)


def test_run_live_end_to_end(engine_folder, tmp_path):
    fetch(POSE_LANDMARKS_FULL)
    session, report = tmp_path / "s.npz", tmp_path / "r.json"
    command = [
        sys.executable,
        str(ROOT / "run_live.py"),
        "--video",
        str(fetch(DEMO_CLIP)),
        "--offline",
        "--seconds",
        "0.4",
    ]
    command += ["--view", "none", "--estimator", "tokenhmr", "--engine", str(engine_folder)]
    command += ["--record", str(session), "--report", str(report)]
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_text())
    assert figures["estimator"] == "tokenhmr"
    assert figures["backend"].startswith("torch fp32")
    assert figures["frames_solved"] == 24  # of 60 a second
    with np.load(session) as recorded:
        assert recorded["raw_tokens"].shape == (figures["frames_solved"], 160)
        assert (recorded["raw_tokens"] >= 0).all()
        assert (recorded["raw_tokens"] < 64).all()
        np.testing.assert_allclose(np.linalg.norm(recorded["raw_rotations"], axis=-1), 1, atol=1e-5)
        assert np.isfinite(recorded["raw_joints"]).all()
