"""A network over tiny image sets of the published forms: one that knows the truth, and a random one by the command."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.camera import full_frame_translation
from engine.errors import EngineError
from engine.files.weights import ASSETS
from engine.tokenhmr.network import TokenHMR, TokenHmrOutput
from engine.tokenhmr.random_weights import random_state_dicts, write
from tests.training.image_sets import bedlam, coco, emdb, person, tar, threedpw
from tests.training.small_network import SMALL
from tests.training.smpl_files import smpl_pickle
from training.evaluate.bodies import Bodies, load_bodies
from training.evaluate.command import main
from training.evaluate.images import Run, predictions, run_network, truth
from training.evaluate.protocols import PROTOCOLS, score
from training.evaluate.smpl import posed
from training.hmr.losses import body_keypoints
from training.readers.forms import Form, open_images
from training.readers.sample import ON_BODY, ImageSet

LARGER = 1.1  # the male and female stand-ins against the neutral one


class Files(NamedTuple):
    checkpoint: Path
    tokenizer: Path
    smpl: Path  # the folder of SMPL's three
    regressor: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("files")
    smpl_pickle(folder / "SMPL_NEUTRAL.pkl", bends=False)
    smpl_pickle(folder / "basicmodel_m_lbs_10_207_0_v1.1.0.pkl", LARGER, bends=False)
    smpl_pickle(folder / "basicModel_f_lbs_10_207_0_v1.0.0.pkl", LARGER, bends=False)
    weights = np.random.default_rng(0).random((19, 6890)) ** 50
    np.save(folder / "J19.npy", weights / weights.sum(1, keepdims=True))
    return Files(*write(folder, SMALL), folder, folder / "J19.npy")


def make(form: Form, folder: Path) -> Path:
    if form == "threedpw":
        threedpw(folder, "test")
    elif form == "emdb":
        emdb(folder)
    elif form == "bedlam":
        bedlam(folder, "20221010_3_1000_batch01hand", columns=165)
    elif form == "coco":
        coco(folder, "val2017")
    else:
        pose = 0.1 * np.arange(72, dtype=np.float32) % 1
        known = person(body_pose=pose, has_betas=np.float32(1), keypoints_3d=np.zeros((44, 4)))
        tar(folder / "000000.tar", [[known], [person(has_body_pose=np.float32(0))], [known]])
    return folder


class Knowing:
    """A network that knows pose and shape of a set's samples, in their order."""

    def __init__(self, images: ImageSet, cam: tuple[float, float, float]) -> None:
        samples = [images[i] for i in range(len(images))]
        pose = np.stack([sample.pose for sample in samples]).reshape(-1, 3)
        rotmats = Rotation.from_rotvec(pose).as_matrix().reshape(-1, 24, 3, 3)
        self._rotmats = torch.from_numpy(rotmats.astype(np.float32))
        self._betas = torch.from_numpy(np.stack([sample.betas for sample in samples]))
        self._cam = torch.tensor(cam)
        self._asked = 0

    def __call__(self, pictures: torch.Tensor) -> TokenHmrOutput:
        rows = slice(self._asked, self._asked + len(pictures))
        self._asked += len(pictures)
        logits, six = torch.zeros(len(pictures), 1, 1), torch.zeros(len(pictures), 21, 6)
        rotmats, cam = self._rotmats[rows], self._cam.expand(len(pictures), 3)
        return TokenHmrOutput(logits, six, rotmats[:, :1], rotmats[:, 1:], self._betas[rows], cam.clone())


def run_of(images: ImageSet, cam: tuple[float, float, float] = (0.9, 0.0, 0.0)) -> Run:
    return run_network(Knowing(images, cam), images, batch=2)


# What is measured against what ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["threedpw", "emdb"])
def test_the_truth_is_of_the_body_of_the_sample_s_gender(form: Form, tmp_path: Path, files: Files) -> None:
    """A network that knows pose and shape errs by what the neutral body is smaller, and by nothing after alignment."""
    images = open_images(form, make(form, tmp_path), "test" if form == "threedpw" else "emdb1")
    bodies = load_bodies(form, files.smpl, np.load(files.regressor))
    run, protocol = run_of(images), PROTOCOLS["3dpw" if form == "threedpw" else "emdb"]
    pred, gt = predictions(run, form, bodies), truth(run, form, bodies)
    scores = score(protocol, pred, gt)
    assert scores.pa_mpjpe_mm == pytest.approx(0, abs=1e-2)
    assert scores.joint_angle_deg == pytest.approx(0, abs=1e-3)
    counted = protocol.counted(pred.joints)
    assert scores.mpjpe_mm == pytest.approx(1e3 * (LARGER - 1) * np.linalg.norm(counted, axis=-1).mean(), rel=1e-3)
    assert pred.vertices is not None
    mesh = pred.vertices[np.arange(len(pred))] - protocol.origin(pred.joints)
    assert scores.mve_mm == pytest.approx(1e3 * (LARGER - 1) * np.linalg.norm(mesh, axis=-1).mean(), rel=1e-3)


def test_who_answers_the_truth_has_no_error(tmp_path: Path, files: Files) -> None:
    for form in ("threedpw", "emdb", "tars"):
        images = open_images(form, make(form, tmp_path / form), "test" if form == "threedpw" else "emdb1")
        bodies = load_bodies(form, files.smpl, np.load(files.regressor))
        same = Bodies((bodies.neutral,) * 3, bodies.extra)
        run = run_of(images)
        protocol = PROTOCOLS[{"threedpw": "3dpw", "emdb": "emdb"}.get(form, "plain")]
        scores = score(protocol, predictions(run, form, same), truth(run, form, same))
        for value in (scores.mpjpe_mm, scores.pa_mpjpe_mm, scores.mve_mm, scores.joint_angle_deg):
            assert value == pytest.approx(0, abs=1e-2), form
        assert (scores.people, scores.unknown) == ({"threedpw": 3, "emdb": 2, "tars": 3}[form], form == "tars")


def test_keypoints_are_where_the_whole_picture_s_camera_sees_them(tmp_path: Path, files: Files) -> None:
    """Against the placing that the live program uses: the same point, through the picture's own focal length."""
    images = open_images("emdb", make("emdb", tmp_path), "emdb1")
    bodies = load_bodies("emdb", files.smpl, None)
    run = run_of(images, cam=(0.8, 0.1, -0.2))
    pred = predictions(run, "emdb", bodies)
    size = np.array([40.0, 30.0])
    center = np.stack([sample.center_px for sample in run.samples])
    side = np.array([sample.side_px for sample in run.samples])
    focal = 5000 / 256 * size.max()
    t = full_frame_translation(run.cam.numpy(), center, side, size)
    joints = posed(bodies.neutral, run.rotmats, run.betas).joints.numpy() + t[:, None]
    pixels = focal * joints[..., :2] / joints[..., 2:] + size / 2
    assert pred.keypoints_2d is not None
    # The two differ by the perspective of a camera off the axis, far away: a thousandth of the side.
    np.testing.assert_allclose(pred.keypoints_2d[:, 10], pixels[:, 5], atol=0.02 * side.max())  # the right knee


def test_keypoints_of_the_free_body_are_where_training_puts_them(tmp_path: Path) -> None:
    """The camera places SMPL's origin, the free body's is its pelvis: the losses of training say where that lies."""
    images = open_images("tars", make("tars", tmp_path), "")
    run = run_of(images, cam=(0.8, 0.1, -0.2))
    pred = predictions(run, "tars", load_bodies("tars", None, None))
    nothing = torch.zeros(0)
    said = TokenHmrOutput(nothing, nothing, run.rotmats[:, :1], run.rotmats[:, 1:], run.betas, run.cam)
    _, fractions = body_keypoints(TorchBody(OPEN_BODY), said)
    center = np.stack([sample.center_px for sample in run.samples])
    side = np.array([sample.side_px for sample in run.samples])
    expected = center[:, None] + side[:, None, None] * fractions.numpy()
    assert pred.keypoints_2d is not None
    np.testing.assert_allclose(pred.keypoints_2d[:, ON_BODY], expected[:, ON_BODY], atol=1e-3 * side.max())


def test_clips_are_parted_where_frames_are_missing(tmp_path: Path, files: Files) -> None:
    images = open_images("threedpw", make("threedpw", tmp_path), "test")
    names = [images[i].sequence for i in range(3)]
    assert names == ["courtyard_arguing_00#0@0", "courtyard_arguing_00#0@2", "courtyard_arguing_00#1@2"]


# Pictures ------------------------------------------------------------------------------------------------------------


def test_a_cut_shows_the_middle_of_the_square(tmp_path: Path) -> None:
    images = open_images("tars", make("tars", tmp_path), "")
    seen: list[torch.Tensor] = []

    def network(pictures: torch.Tensor) -> TokenHmrOutput:
        seen.append(pictures)
        return Knowing(images, (0.9, 0.0, 0.0))(pictures)

    whole, half = (run_network(network, images, cut, batch=2) for cut in (0.0, 0.5))
    assert [len(pictures) for pictures in seen] == [2, 1, 2, 1]
    assert [sample.name for sample in whole.samples] == [images[i].name for i in range(3)]
    a, b = seen[0][0], seen[2][0]  # the square reaches past the picture, which is black in it, and cut it does not
    blackness = (torch.zeros(3) - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert a.shape == b.shape == (3, 256, 256)
    np.testing.assert_allclose(a[:, 128, 128], blackness, atol=0.05)
    # A point at the whole square's quarter is at the cut one's border: keypoints say so for both.
    bodies = load_bodies("tars", None, None)
    at = [predictions(run, "tars", bodies).keypoints_2d for run in (whole, half)]
    assert at[0] is not None
    assert at[1] is not None
    center = whole.samples[0].center_px
    np.testing.assert_allclose(at[1][0] - center, 0.5 * (at[0][0] - center), atol=1e-4)


def test_pictures_that_cannot_be_read_are_counted_or_refused(
    tmp_path: Path, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    images = open_images("emdb", make("emdb", tmp_path), "emdb1")
    network = TokenHMR(SMALL).eval()
    (first, last) = sorted(tmp_path.glob("P1/*/images/*.jpg"))[::3]
    first.write_bytes(b"torn")
    with caplog.at_level(logging.WARNING):
        assert len(run_network(network, images).samples) == 1
    assert "skipped 1 of 2 samples" in caplog.text
    assert "00000.jpg" in caplog.text
    last.unlink()
    with pytest.raises(EngineError, match=r"none of the 2 samples .* can be read, the first: .*00000\.jpg"):
        run_network(network, images)


def test_labels_and_answers_that_are_not_finite(tmp_path: Path, files: Files, caplog: pytest.LogCaptureFixture) -> None:
    tar(tmp_path / "a.tar", [[person()], [person(betas=np.full(10, np.nan))], [person(center=np.array([np.nan, 0]))]])
    with caplog.at_level(logging.WARNING):
        run = run_network(TokenHMR(SMALL).eval(), open_images("tars", tmp_path, ""))
    assert "skipped 2 of 3" in caplog.text
    assert "image_001_1 has labels that are not finite" in caplog.text
    run.cam[0, 0] = np.nan
    pred = predictions(run, "tars", load_bodies("tars", None, None))
    assert pred.found is not None
    assert not pred.found.any()


# The command ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["threedpw", "emdb", "tars", "bedlam", "coco"])
def test_the_command(form: Form, tmp_path: Path, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    data = make(form, tmp_path / "set")
    argv = ["--model", files.checkpoint, "--tokenizer", files.tokenizer, "--form", form, "--data", data, "--cut", "30"]
    if form in ("threedpw", "emdb"):
        argv += ["--body", files.smpl, "--regressor", files.regressor]
    pred, gt, out = tmp_path / "p.npz", tmp_path / "g.npz", tmp_path / "out.json"
    saved = ["--save-predictions", pred, "--save-truth", gt, "--json", out, "--name", "mine"]
    assert main([str(word) for word in (*argv, *saved)]) == 0
    printed = capsys.readouterr().out
    whole = json.loads(out.read_text())["scores"]["whole"]
    has = {"threedpw": "mpjpe mve angle pck", "emdb": "mpjpe mve angle pck", "tars": "mpjpe mve angle pck",
           "bedlam": "angle pck", "coco": "pck"}[form]  # fmt: skip
    for word, key in (("mpjpe", "mpjpe_mm"), ("mve", "mve_mm"), ("angle", "joint_angle_deg"), ("pck", "pck_05")):
        if word in has:
            assert whole[key] is not None, key
        elif word != "pck":
            assert whole[key] is None, key
    rows = [line for line in printed.splitlines() if "mine" in line]
    assert len(rows) == (2 if form in ("threedpw", "emdb") else 1)  # Table 1, Table 2
    if form == "emdb":
        assert rows[0].startswith(f"|  | mine | {whole['mve_mm']:.1f} | {whole['mpjpe_mm']:.1f} |")
        assert rows[0].endswith("|  |  |  |")

    # The files that were saved give the same figures.
    protocol = {"threedpw": "3dpw", "emdb": "emdb"}.get(form, "plain")
    argv = ["--predictions", pred, "--ground-truth", gt, "--protocol", protocol, "--json", out]
    assert main([str(word) for word in argv]) == 0
    again = json.loads(out.read_text())["scores"]["whole"]
    for key, value in whole.items():
        assert again[key] == (value if value is None else pytest.approx(value, rel=1e-5)), key


def test_a_checkpoint_carries_the_regressor_of_3dpw_s_joints(
    tmp_path: Path, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make("threedpw", tmp_path / "set")
    argv = ["--tokenizer", files.tokenizer, "--form", "threedpw", "--data", data, "--body", files.smpl]
    assert main([str(word) for word in ("--model", files.checkpoint, *argv)]) == 2
    assert "--regressor SMPL_to_J19.pkl" in capsys.readouterr().err
    state = random_state_dicts(SMALL)[0] | {"smpl.joint_regressor_extra": torch.from_numpy(np.load(files.regressor))}
    torch.save({"state_dict": state}, tmp_path / "whole.ckpt")
    assert main([str(word) for word in ("--model", tmp_path / "whole.ckpt", *argv)]) == 0
    carried = capsys.readouterr().out
    assert main([str(word) for word in ("--model", files.checkpoint, *argv, "--regressor", files.regressor)]) == 0
    assert capsys.readouterr().out == carried


def test_what_is_missing_is_said_in_one_line(tmp_path: Path, files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    data = make("emdb", tmp_path / "set")
    argv = ["--model", files.checkpoint, "--tokenizer", files.tokenizer, "--form", "emdb", "--data"]
    lone = tmp_path / "smpl"
    lone.mkdir()
    (lone / "SMPL_NEUTRAL.pkl").symlink_to(files.smpl / "SMPL_NEUTRAL.pkl")
    small, other = tmp_path / "J.npy", tmp_path / "other"
    np.save(small, np.zeros((19, 50)))
    other.mkdir()
    for gender in ("NEUTRAL", "MALE", "FEMALE"):
        (other / f"SMPL_{gender}.npz").symlink_to(OPEN_BODY)
    for words, message in (
        ([data, "--body", other], "has 6852 vertices, SMPL's have 6890"),
        ([data, "--body", files.smpl, "--regressor", small], "the regressor is (19, 50), expected (19, 6890)"),
        ([data], "give --body DIR, a folder with SMPL_NEUTRAL.pkl, SMPL_MALE.pkl and SMPL_FEMALE.pkl"),
        ([data, "--body", lone / "SMPL_NEUTRAL.pkl"], "give --body DIR"),
        ([data, "--body", lone], "has no SMPL body that is male: it must hold SMPL_NEUTRAL.pkl, SMPL_MALE.pkl"),
        ([tmp_path], "not in the form of EMDB: expected P*/*/*_data.pkl, saw J.npy, other/, set/, smpl/"),
        ([data, "--split", "emdb2", "--body", files.smpl], "nothing to read in 1 EMDB files"),
    ):
        assert main([str(word) for word in (*argv, *words)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    with pytest.raises(SystemExit, match="2"):
        main(["--model", str(files.checkpoint), "--form", "emdb"])
    assert "--model needs --form and --data" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([])
    with pytest.raises(SystemExit, match="2"):
        main([str(word) for word in (*argv, data, "--body", files.smpl, "--json", tmp_path / "none" / "a.json")])
    assert "--json: there is no folder" in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main([str(word) for word in (*argv, data, "--body", files.smpl, "--device", "cuda:0")]) == 2
        assert "no CUDA" in capsys.readouterr().err


def test_a_model_that_was_trained_on_the_compact_tokenizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import engine
    from training.hmr.train import build_network, released_state

    torch.manual_seed(0)
    network = build_network(SMALL, engine.load_tokenizer()).eval()
    torch.save({"state_dict": released_state(network)}, tmp_path / "model.ckpt")
    loaded = engine.load_tokenhmr(tmp_path / "model.ckpt", ASSETS / "tokenizer.safetensors")
    pictures = torch.randn(2, 3, 256, 256)
    for ours, theirs in zip(loaded(pictures), network(pictures), strict=True):
        torch.testing.assert_close(ours, theirs)
    argv = ["--model", tmp_path / "model.ckpt", "--form", "tars", "--data", make("tars", tmp_path / "set")]
    assert main([str(word) for word in argv]) == 0
    assert "| MVE mm |" in capsys.readouterr().out
