from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.body.files import OPEN_BODY
from engine.body.torch.rotations import angle_between
from engine.errors import EngineError
from engine.files.onnx_file import rounded_to_int8
from engine.landmarks import network as landmark_net
from engine.landmarks.network import (
    LandmarkGraph,
    LandmarkGraphOutput,
    LandmarkNet,
    LandmarkNetConfig,
    normalise,
    project,
)
from engine.tokens import tokenizer

SMALL = LandmarkNetConfig(width=32, blocks=1, query=8)
ONNX = landmark_net.SHIPPED.with_suffix(".onnx")

# The graph's weights are given to torch too, so the two differ by rounding in f32 arithmetic alone.
TOLERANCE = {
    "root_rotmat": 2e-4,
    "body_rotmats": 2e-4,
    "betas": 2e-3,
    "camera": 1e-3,
    "center_px": 1e-2,
    "scale_px": 1e-2,
    "token_probabilities": 2e-3,
}


def people(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image_px = 300 + 200 * torch.rand(count, 33, 2, generator=generator)
    world_m = 0.5 * torch.randn(count, 33, 3, generator=generator)
    return image_px, world_m, torch.rand(count, 33, generator=generator)


@settings(max_examples=30)
@given(
    shift=st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000)),
    scale=st.floats(0.2, 8.0),
    gate=st.sampled_from([0.0, 0.3]),
)
def test_place_and_size_in_the_picture_only_move_centre_and_scale(
    shift: tuple[float, float], scale: float, gate: float
) -> None:
    image_px, world_m, visibility = (tensor.double() for tensor in people(4))
    here = normalise(image_px, world_m, visibility, gate)
    moved_by = torch.tensor(shift, dtype=torch.float64)
    there = normalise(scale * image_px + moved_by, world_m + torch.tensor([0.3, -0.2, 1.0]), visibility, gate)
    torch.testing.assert_close(there.features, here.features, rtol=0, atol=1e-9)
    torch.testing.assert_close(there.center_px, scale * here.center_px + moved_by)
    torch.testing.assert_close(there.scale_px, scale * here.scale_px)


def test_the_gate_leaves_no_trace_of_where_a_hidden_landmark_was_put() -> None:
    image_px, world_m, visibility = people(1)
    visibility[0, 15] = 0.2
    elsewhere_px, elsewhere_m = image_px.clone(), world_m.clone()
    elsewhere_px[0, 15] += 1.0
    elsewhere_m[0, 15] += 1.0
    open_gate = [
        normalise(p, w, visibility).features[0, 15] for p, w in ((image_px, world_m), (elsewhere_px, elsewhere_m))
    ]
    assert (open_gate[0] - open_gate[1]).abs().max() > 1e-3
    shut = normalise(elsewhere_px, elsewhere_m, visibility, gate=0.5)
    assert shut.features[0, 15].tolist() == [0, 0, 0, 0, 0, -1]


def test_nobody_visible_and_all_points_in_one_place_stay_finite() -> None:
    seen = normalise(torch.full((1, 33, 2), 7.0), torch.zeros(1, 33, 3), torch.zeros(1, 33), 0.3)
    assert all(bool(torch.isfinite(part).all()) for part in seen)
    torch.testing.assert_close(seen.center_px, torch.tensor([[7.0, 7.0]]))


def test_projection_is_a_pinhole_in_the_persons_units() -> None:
    points_m = 0.5 * torch.randn(3, 33, 3, generator=torch.Generator().manual_seed(3))
    T_cam_root = torch.tensor([0.2, -0.1, 2.5])
    focal, center, scale = 900.0, torch.tensor([40.0, 30.0]), 250.0
    in_camera = points_m + T_cam_root
    normalised = (focal * in_camera[..., :2] / in_camera[..., 2:] - center) / scale
    # k X / (1 + q Z) + t is a pinhole whose axis goes through the pelvis: put it there.
    centred = points_m + torch.tensor([0.0, 0.0, 2.5])
    pinhole = (focal * centred[..., :2] / centred[..., 2:] - center) / scale
    k, q, t = focal / 2.5 / scale, 1 / 2.5, -center / scale
    camera = torch.tensor([[k, *t.tolist(), q]]).expand(3, 4)
    torch.testing.assert_close(project(points_m, camera), pinhole)
    assert not torch.allclose(pinhole, normalised)


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(ValueError, match="'token' or 'direct'"):
        LandmarkNetConfig(head="tokens")


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    net = LandmarkNet(SMALL)
    landmark_net.save(tmp_path / "net.safetensors", net, {"seed": 3})
    again, about = landmark_net.load(tmp_path / "net.safetensors")
    assert about == {"seed": 3}
    assert again.config == SMALL
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, rtol=0, atol=0)


def test_a_tokenizers_file_is_not_taken_for_an_estimator() -> None:
    with pytest.raises(EngineError, match="not landmark-estimator"):
        landmark_net.load(tokenizer.SHIPPED)


@pytest.fixture(scope="module")
def shipped() -> LandmarkGraph:
    return LandmarkGraph(landmark_net.load()[0], tokenizer.load()).eval()


@pytest.fixture(scope="module")
def rounded(shipped: LandmarkGraph) -> LandmarkGraph:
    """The shipped estimator with the weights of the shipped graph: the large ones in int8."""
    estimator = deepcopy(shipped)
    for layer in estimator.net.modules():
        if isinstance(layer, torch.nn.Linear) and layer.weight.numel() >= 500_000:
            whole, scale = rounded_to_int8(layer.weight.detach().numpy())
            layer.weight = torch.nn.Parameter(torch.from_numpy(whole * scale[:, None]))
    return estimator


def run_onnx(*inputs: torch.Tensor) -> dict[str, np.ndarray]:
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    model = openvino.Core().compile_model(str(ONNX), "CPU", settings)
    outputs = model([tensor.numpy() for tensor in inputs])
    return {name: outputs[name] for name in LandmarkGraphOutput._fields}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_shipped_graph_says_in_openvino_what_it_says_in_torch(rounded: LandmarkGraph, count: int) -> None:
    inputs = people(count, seed=count)
    with torch.no_grad():
        expected = rounded(*inputs)
    found = run_onnx(*inputs)
    for name, tensor in expected._asdict().items():
        assert found[name].shape == tuple(tensor.shape)
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=0, atol=TOLERANCE[name], err_msg=name)


def test_what_the_shipped_network_says_is_a_body(shipped: LandmarkGraph) -> None:
    with torch.no_grad():
        said = shipped(*people(8))
    rotmats = torch.cat((said.root_rotmat[:, None], said.body_rotmats), 1)
    torch.testing.assert_close(rotmats @ rotmats.mT, torch.eye(3).expand_as(rotmats), rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.linalg.det(rotmats), torch.ones(8, 22), rtol=0, atol=1e-5)
    torch.testing.assert_close(said.token_probabilities.sum(-1), torch.ones(8, shipped.net.config.tokens))
    codes = said.token_probabilities.argmax(-1)
    assert angle_between(shipped.tokenizer.decode(codes), said.body_rotmats).mean() < 0.5


def test_shipped_files_say_what_they_were_made_of() -> None:
    import onnx

    _, about = landmark_net.load()
    assert set(about) >= {"training", "steps", "seed", "mocap_sha256", "tokenizer_sha256", "body_sha256", "figures"}
    assert set(about["figures"]) >= {"val", "test", "test_ood", "val, legs hidden", "val, an arm hidden"}
    assert all(set(figure) == {"mpjpe_mm", "pa_mpjpe_mm"} for figure in about["figures"].values())
    properties = {
        entry.key: json.loads(entry.value) for entry in onnx.load(ONNX, load_external_data=False).metadata_props
    }
    assert {key: properties[key] for key in about} == about


def test_the_shipped_network_was_trained_with_the_shipped_tokenizer_and_body() -> None:
    from hashlib import sha256

    _, about = landmark_net.load()
    assert about["tokenizer_sha256"] == sha256(tokenizer.SHIPPED.read_bytes()).hexdigest()
    assert about["body_sha256"] == sha256(OPEN_BODY.read_bytes()).hexdigest()


def test_shipped_weights_stay_small() -> None:
    sizes = [path.stat().st_size for path in (landmark_net.SHIPPED, ONNX, tokenizer.SHIPPED)]
    assert sum(sizes) < 40e6
