"""A small rig is made, and it loads and solves as the shipped one does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.body.expressions import BLENDSHAPES
from engine.face.expression import ExpressionSolver
from engine.face.rig import FaceRig, load_rig
from realtime.assets import FACE_LANDMARKS, IRIS_LANDMARKS, AssetError, fetch
from realtime.perception.parts import face
from realtime.perception.parts.face import FaceLandmarker
from realtime.perception.roi import Roi
from realtime.perception.runtime import load_network
from training.face.command import main
from training.face.painted_head import PaintedHead
from training.face.seen_face import SeenFace

FEW = ("--heads", "2", "--people", "2", "--size-px", "160", "--units", "jawOpen", "mouthClose")


@pytest.fixture(scope="module")
def networks() -> tuple[Path, Path]:
    try:
        return fetch(FACE_LANDMARKS), fetch(IRIS_LANDMARKS)
    except AssetError as error:
        pytest.skip(str(error))


def make(networks: tuple[Path, Path], out: Path, *words: str) -> int:
    mesh, iris = networks
    return main(["--mesh", str(mesh), "--iris", str(iris), "--out", str(out), *words])


@pytest.fixture(scope="module")
def rig(networks: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> FaceRig:
    out = tmp_path_factory.mktemp("rig") / "face.npz"
    assert make(networks, out, *FEW) == 0
    return load_rig(out)


def test_the_file_loads_as_a_rig_near_the_shipped_one(rig: FaceRig) -> None:
    assert [BLENDSHAPES[unit] for unit in rig.units] == ["jawOpen", "mouthClose"]
    shipped = load_rig()
    width_m = np.linalg.norm(shipped.neutral_m[33] - shipped.neutral_m[263])
    assert np.median(np.linalg.norm(rig.neutral_m - shipped.neutral_m, axis=1)) < 0.06 * width_m
    rows = [list(shipped.units).index(unit) for unit in rig.units]
    one, other = rig.moves_m.ravel(), shipped.moves_m[rows].ravel()
    assert one @ other / (np.linalg.norm(one) * np.linalg.norm(other)) > 0.9


def test_the_rig_finds_its_own_units_and_noise_is_none(rig: FaceRig) -> None:
    solver = ExpressionSolver(rig)
    opened, closed = rig.moves_m
    assert solver.solve(opened) == pytest.approx([1, 0], abs=0.15)
    assert solver.solve(opened + closed) == pytest.approx([1, 1], abs=0.15)
    assert solver.solve(np.zeros_like(opened)).max() == 0
    # A stretch of the face as differences of people make it opens no jaw.
    assert solver.solve(0.05 * rig.neutral_m, from_mean=True).max() < 0.1


def test_points_are_those_that_the_live_program_sees(networks: tuple[Path, Path]) -> None:
    picture = PaintedHead()({"eyeBlinkLeft": 1.0}, betas=np.full(10, 0.5), size_px=240)
    live = FaceLandmarker(load_network(networks[0], face.SPEC), load_network(networks[1], face.IRIS_SPEC))
    view = live(picture, Roi((120.0, 120.0), 0.9 * 240, 0.0))
    for _ in range(2):
        view = live(picture, view.next_roi)
    np.testing.assert_allclose(SeenFace(*networks)(picture), view.face.world_m[:468], atol=1e-4)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--units", "jawOpen", "mouthClose", "jawLeft"), "lacks jawRight"),
        (("--units", "jawOpne"), "did you mean jawOpen"),
        (("--heads", "1"), "must be 2 or more"),
    ],
)
def test_what_cannot_make_a_rig_is_one_line(
    networks: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    assert make(networks, tmp_path / "face.npz", *words) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert make(networks[::-1], tmp_path / "face.npz", *FEW) == 2
    assert "not the network" in capsys.readouterr().err
