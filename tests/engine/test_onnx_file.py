from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from engine.onnx_file import OPSET, write_onnx
from engine.weights import ASSETS


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
