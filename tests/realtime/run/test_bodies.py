"""Runs on bodies with fingers: poses are of SMPL's 24 joints, whichever body is loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from realtime.outputs.recording.session import Session, load_session
from realtime.run.app import App
from realtime.run.command import parse
from tests.engine.body.stand_ins import smplx_arrays


def solved_on(body: str | Path, out: Path) -> Session:
    fetch(POSE_LANDMARKS_FULL)
    flags = ["--video", str(fetch(DEMO_CLIP)), "--offline", "--seconds", "0.5", "--view", "none"]
    App(parse([*flags, "--body", str(body), "--record", str(out)])).run()
    return load_session(out)


def test_a_run_solves_alike_on_either_free_body(tmp_path: Path) -> None:
    plain, full = (solved_on(body, tmp_path / f"{body}.npz") for body in ("open", "open-hands"))
    assert (plain.body["name"], full.body["name"]) == ("open", "open-hands")
    np.testing.assert_array_equal(full.timestamps, plain.timestamps)
    np.testing.assert_allclose(full.joints, plain.joints, atol=1e-4)
    np.testing.assert_allclose(full.raw_rotations, plain.raw_rotations, atol=1e-3)
    np.testing.assert_allclose(full.betas, plain.betas, atol=1e-3)


def test_a_run_takes_an_smplx_file(tmp_path: Path) -> None:
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    np.savez(path, **smplx_arrays())
    session = solved_on(path, tmp_path / "s.npz")
    assert session.body["name"] == "SMPLX_NEUTRAL"
    assert session.joints.shape[1:] == (24, 3)
    assert np.isfinite(session.joints).all()
    head_m = session.joints[:, 15, 1] - session.joints[:, [7, 8], 1].min(axis=1)
    assert np.median(head_m) == pytest.approx(1.4, abs=0.3)
