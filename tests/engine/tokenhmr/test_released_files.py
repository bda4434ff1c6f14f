"""Loading the released files: what is accepted, and what each wrong file is told."""

from __future__ import annotations

import collections
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import load_tokenhmr, load_tokenizer
from engine.errors import EngineError
from engine.files.torch_file import read_torch_file

IMAGE = torch.zeros(1, 3, 256, 256)


@pytest.fixture(scope="module")
def state(small_files) -> dict[str, torch.Tensor]:
    return torch.load(small_files.checkpoint, weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def net(small_files) -> dict[str, torch.Tensor]:
    return torch.load(small_files.tokenizer, weights_only=True)["net"]


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def error_of(*files: Path) -> str:
    with pytest.raises(EngineError) as caught:
        load_tokenhmr(*files)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def foreign_config(monkeypatch) -> Any:
    """An object of yacs' class, as the published files hold, though yacs is not installed."""
    module = types.ModuleType("yacs.config")
    node = type("CfgNode", (dict,), {"__module__": "yacs.config"})
    module.CfgNode = node
    monkeypatch.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    config = node(ARCH=node(NUM_TOKENS=10))
    config.__dict__["__immutable__"] = False
    return config


def test_a_whole_lightning_checkpoint(small_files, state, net, foreign_config, tmp_path, monkeypatch):
    content = {
        "epoch": 3,
        "global_step": 350_000,
        "pytorch-lightning_version": "1.8.1",
        "hyper_parameters": {"cfg": foreign_config},
        "optimizer_states": [
            {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": collections.OrderedDict(lr=1e-5)}
        ],
        "state_dict": collections.OrderedDict(state)
        | {
            "initialized": torch.tensor(True),
            "smpl.v_template": torch.zeros(6890, 3),
            "smpl.faces_tensor": torch.zeros(4, 3, dtype=torch.int64),
            "discriminator.D_conv1.weight": torch.zeros(2, 2),
        },
    }
    whole = saved(tmp_path / "whole.ckpt", content)
    tokens = saved(tmp_path / "t.pth", {"net": net | {"body_model.x": torch.zeros(1)}, "hparams": foreign_config})
    monkeypatch.delitem(sys.modules, "yacs.config")
    expected = load_tokenhmr(*small_files)(IMAGE)
    assert torch.equal(load_tokenhmr(whole, tokens)(IMAGE).body_pose, expected.body_pose)


def test_a_bare_state_dict_in_half_precision_and_the_old_file_format(small_files, state, tmp_path):
    path = tmp_path / "old.ckpt"
    torch.save({k: t.half() for k, t in state.items()}, path, _use_new_zipfile_serialization=False)
    loaded = load_tokenhmr(path, small_files.tokenizer)
    assert loaded.init_cam.dtype == torch.float32
    torch.testing.assert_close(loaded.init_cam, state["smpl_head.init_cam"], atol=1e-3, rtol=0)


def test_token_count_comes_from_the_shapes(small_files):
    assert load_tokenizer(small_files.tokenizer).num_tokens == 160


def test_missing_extra_and_misshapen_keys_are_named(small_files, state, tmp_path):
    changed = dict(state)
    del changed["backbone.blocks.0.attn.qkv.weight"]
    changed["smpl_head.surprise"] = torch.zeros(1)
    changed["smpl_head.deccam.bias"] = torch.zeros(4)
    message = error_of(saved(tmp_path / "x.ckpt", {"state_dict": changed}), small_files.tokenizer)
    assert "lacks backbone.blocks.0.attn.qkv.weight" in message
    assert "unknown smpl_head.surprise" in message
    assert "smpl_head.deccam.bias (4,) for (3,)" in message


@pytest.mark.parametrize("gone", ["smpl_head.", "backbone.", "smpl_head.decpose.", "backbone.pos_embed"])
def test_a_missing_part_is_named(small_files, state, tmp_path, gone):
    changed = {key: tensor for key, tensor in state.items() if not key.startswith(gone)}
    message = error_of(saved(tmp_path / "x.ckpt", {"state_dict": changed}), small_files.tokenizer)
    assert f"lacks {gone}" in message


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("backbone.patch_embed.proj.weight", (60, 3, 16, 16)),
        ("backbone.patch_embed.proj.weight", (64, 3, 0, 0)),
        ("backbone.patch_embed.proj.weight", ()),
        ("smpl_head.decpose.class_pred_layer.weight", (0, 0)),
        (7, (1,)),
    ],
)
def test_sizes_that_no_network_has(small_files, state, tmp_path, key, shape):
    path = saved(tmp_path / "x.ckpt", {"state_dict": state | {key: torch.zeros(shape)}})
    assert "not in TokenHMR's layout" in error_of(path, small_files.tokenizer)


@pytest.mark.parametrize(
    "change",
    [
        {"encoder.encoder.1.1.model.0.conv1.weight": torch.zeros(24, 24, 3)},
        {"quantizer.codebook": torch.zeros(64)},
        {"quantizer.codebook": torch.zeros(64, 8)},
        {"encoder.encoder.0.weight": torch.zeros(())},
    ],
)
def test_tokenizers_that_no_network_has(small_files, net, tmp_path, change):
    path = saved(tmp_path / "t.pth", {"net": net | change})
    assert "not in TokenHMR's layout" in error_of(small_files.checkpoint, path)


def test_a_number_in_a_key_does_not_size_the_network(small_files, state, tmp_path):
    """A damaged 0 in a name read as thousands of blocks, which took minutes and gigabytes to make."""
    far = {"backbone.blocks.300.norm1.bias": torch.zeros(64), "smpl_head.x": torch.zeros(1)}
    message = error_of(saved(tmp_path / "x.ckpt", {"state_dict": state | far}), small_files.tokenizer)
    assert "lacks backbone.blocks.2.norm1.weight" in message
    assert "unknown backbone.blocks.300.norm1.bias" in message


@pytest.mark.parametrize("zipped", [True, False])
def test_a_tensor_is_no_larger_than_what_is_stored_of_it(tmp_path, zipped):
    path = tmp_path / "x.ckpt"
    torch.save({"a": torch.zeros(1).expand(1000)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(EngineError, match="larger than what is stored"):
        read_torch_file(path, "")


def test_the_same_numbers_under_many_keys(small_files, state, tmp_path):
    tensor = torch.zeros(200_000)
    path = saved(tmp_path / "x.ckpt", {"state_dict": state | {f"a{k}": tensor for k in range(20)}})
    assert "several keys" in error_of(path, small_files.tokenizer)


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_come_back_as_they_were_saved(tmp_path, zipped):
    rng = torch.Generator().manual_seed(0)
    kinds = (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
    whole = torch.randint(0, 99, (4, 6), generator=rng)
    content = {str(kind): whole.to(kind) for kind in kinds} | {
        "turned": whole.T,
        "part": whole[1:3, ::2],
        "none": torch.zeros(0, 3),
        "one": torch.tensor(2.5),
        "parameter": torch.nn.Parameter(torch.ones(3)),
    }
    torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    loaded = read_torch_file(tmp_path / "x.pt", "")
    assert loaded.keys() == content.keys()
    for key, tensor in content.items():
        assert loaded[key].dtype == tensor.dtype
        assert torch.equal(loaded[key], tensor)


def test_hmr2_is_told_apart(small_files, state, tmp_path):
    hmr2 = {k: t for k, t in state.items() if "decpose." not in k} | {"smpl_head.decpose.weight": torch.zeros(144, 48)}
    assert "HMR2" in error_of(saved(tmp_path / "x.ckpt", {"state_dict": hmr2}), small_files.tokenizer)


def test_numbers_that_are_not_finite(small_files, state, tmp_path):
    bad = state["backbone.last_norm.bias"].clone()
    bad[3] = float("nan")
    path = saved(tmp_path / "x.ckpt", {"state_dict": state | {"backbone.last_norm.bias": bad}})
    assert "not finite in backbone.last_norm.bias" in error_of(path, small_files.tokenizer)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>Please log in</html>", "is a web page"),
        (b"\x00\x01garbage" * 100, "no checkpoint"),
        (pickle.dumps([1, 2, 3]), "no checkpoint"),
    ],
)
def test_files_that_are_no_checkpoints(small_files, tmp_path, content, words):
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    assert words in error_of(path, small_files.tokenizer)
    assert words in error_of(small_files.checkpoint, path)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_file_cut_short(small_files, tmp_path, share):
    data = small_files.checkpoint.read_bytes()
    path = tmp_path / "x.ckpt"
    path.write_bytes(data[: int(share * len(data))])
    assert "cut short" in error_of(path, small_files.tokenizer)


def test_files_that_are_not_there_or_exchanged(small_files, tmp_path):
    assert "there is no file" in error_of(tmp_path / "none.ckpt", small_files.tokenizer)
    assert "there is no file" in error_of(small_files.checkpoint, tmp_path / "none.pth")
    assert "cannot read" in error_of(tmp_path, small_files.tokenizer)
    assert "no TokenHMR checkpoint" in error_of(small_files.tokenizer, small_files.tokenizer)
    assert "is no tokenizer" in error_of(small_files.checkpoint, small_files.checkpoint)


def test_a_checkpoint_and_a_tokenizer_that_do_not_belong_together(small_files, net, tmp_path):
    path = saved(tmp_path / "t.pth", {"net": net | {"quantizer.codebook": torch.zeros(32, 16)}})
    assert "160 tokens over 64 codes" in error_of(small_files.checkpoint, path)


class _Hostile:
    def __reduce__(self):
        return (Path.touch, (Path(_Hostile.marker),))


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_is_run(small_files, state, tmp_path, zipped):
    _Hostile.marker = str(tmp_path / "touched")
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": state, "evil": _Hostile()}, path, _use_new_zipfile_serialization=zipped)
    message = error_of(path, small_files.tokenizer)
    assert "malicious" in message
    assert not Path(_Hostile.marker).exists()
