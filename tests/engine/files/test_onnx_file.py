from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from engine.files.onnx_file import OPSET, rounded_to_int8, write_onnx
from engine.files.weights import ASSETS


def notes(model: onnx.ModelProto) -> list[str]:
    """What is said of parts of a graph besides what they compute."""
    graph = model.graph
    parts = (graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info)
    return [p.doc_string for p in parts if p.doc_string] + [e.value for p in parts for e in p.metadata_props]


@pytest.mark.parametrize("name", ["landmarks.onnx", "tokenizer_decoder.onnx"])
def test_shipped_graphs_know_no_machine(name: str) -> None:
    model = onnx.load(ASSETS / name)
    assert notes(model) == []
    assert {"figures", "config"} <= {entry.key for entry in model.metadata_props}


def test_what_the_exporter_notes_of_source_files_is_taken_out(tmp_path: Path) -> None:
    module = torch.nn.Linear(40, 40).eval()
    program = torch.onnx.export(module, (torch.zeros(1, 40),), dynamo=True, opset_version=OPSET, verbose=False)
    assert program is not None
    assert any(__file__ in note or "torch" in note for note in notes(program.model_proto))
    write_onnx(program.model_proto, tmp_path / "linear.onnx", {"kind": "test"})
    written = onnx.load(tmp_path / "linear.onnx")
    assert notes(written) == []
    assert [(entry.key, entry.value) for entry in written.metadata_props] == [("kind", "test")]


def test_int8_weights_give_what_torch_gives_with_the_same_weights(tmp_path: Path) -> None:
    import openvino

    torch.manual_seed(0)
    large, small = torch.nn.Linear(800, 700), torch.nn.Linear(700, 20)
    net = torch.nn.Sequential(large, torch.nn.GELU(), small).eval()
    x = torch.randn(2, 800)
    exact = net(x).detach()
    program = torch.onnx.export(net, (x,), dynamo=True, opset_version=OPSET, verbose=False)
    assert program is not None
    write_onnx(program.model_proto, tmp_path / "net.onnx", {}, int8=True)
    assert (tmp_path / "net.onnx").stat().st_size < 1.1 * 800 * 700  # one byte each, and the small layer

    whole, scale = rounded_to_int8(large.weight.detach().numpy())
    assert np.abs(whole).max() == 127
    rounded = torch.from_numpy(whole * scale[:, None])
    assert (rounded - large.weight).abs().max() <= 0.5001 * scale.max()
    with torch.no_grad():
        large.weight.copy_(rounded)
        small.weight.copy_(small.weight.half())
        expected = net(x)
    settings = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    model = openvino.Core().compile_model(str(tmp_path / "net.onnx"), "CPU", settings)
    found = model([x.numpy()])[0]
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=2e-5)
    assert np.abs(found - exact.numpy()).max() > 1e-4
