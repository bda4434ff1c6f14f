"""The network against a second reading of the released layout, written from the raw keys in float64."""

from __future__ import annotations

import copy
import hashlib

import pytest
import torch
from torch import Tensor

from engine import load_tokenhmr, load_tokenizer
from engine.body.torch.rotations import angle_between
from engine.tokenhmr.network import EngineNetwork, TokenDecoder, TokenHMR, TokenHmrConfig
from engine.tokenhmr.precision import fp32_sums
from engine.tokenhmr.random_weights import random_network
from engine.tokenhmr.released_files import released_key, tokenhmr_names, tokenizer_names
from tests.small_tokenhmr import SMALL

# Of the sorted lines "key shape" of the two published files, less the body model's buffers and the `initialized` flag.
RELEASED_LAYOUT_SHA256 = "e2183ef772d80a43196e826e33dad663e29edb278275940498a0da53768a18e1"


@pytest.fixture(scope="module")
def network(small_files) -> TokenHMR:
    return load_tokenhmr(*small_files)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(3, 3, 256, 256, generator=torch.Generator().manual_seed(1))


def test_full_size_keys_and_shapes_are_the_released_ones():
    with torch.device("meta"):
        full = TokenHMR(TokenHmrConfig())
    model, tokens = tokenhmr_names(full.config), tokenizer_names(full.config.tokenizer)
    lines = []
    for ours, tensor in full.state_dict().items():
        inner = ours.removeprefix("tokenizer.")
        key = released_key(ours, model) if inner == ours else released_key(inner, tokens)
        lines.append(f"{key} {tuple(tensor.shape)}")
    assert len(lines) == 608
    assert hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest() == RELEASED_LAYOUT_SHA256
    assert sum(p.numel() for p in full.backbone.parameters()) == 630_912_000


def test_forward_agrees_with_the_raw_keys(network, small_files, images):
    state = torch.load(small_files.checkpoint, weights_only=True)["state_dict"]
    tokens = torch.load(small_files.tokenizer, weights_only=True)["net"]
    expected = _reference(_double(state), _double(tokens), images.double())
    out = network(images)
    assert out.token_logits.shape == (3, 160, 64)
    for name in ("token_logits", "body_pose_6d", "global_orient", "body_pose", "betas", "cam"):
        torch.testing.assert_close(getattr(out, name).double(), expected[name], atol=2e-5, rtol=2e-5)


def test_the_image_matters_and_its_borders_do_not(network, images):
    out = network(images)
    assert (out.token_logits[0] - out.token_logits[1]).abs().max() > 1e-3
    other = images.clone()
    other[..., :32] = 7.0
    other[..., -32:] = -7.0
    assert torch.equal(network(other).body_pose, out.body_pose)


def test_random_weights_are_those_of_their_files(network, images):
    out, expected = random_network(SMALL)(images), network(images)
    assert all(torch.equal(ours, read) for ours, read in zip(out, expected, strict=True))


def test_sums_are_in_fp32_inside_the_block_alone():
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_fp16_reduced_precision_reduction, convolutions.allow_tf32
    assert before == (True, True)  # torch's defaults
    with pytest.raises(KeyError), fp32_sums():
        assert (products.allow_fp16_reduced_precision_reduction, convolutions.allow_tf32) == (False, False)
        raise KeyError
    assert (products.allow_fp16_reduced_precision_reduction, convolutions.allow_tf32) == before


def test_rotations_are_rotations(network, images):
    out = network(images)
    rotmats = torch.cat((out.global_orient, out.body_pose), 1).double()
    eye = torch.eye(3, dtype=torch.float64).expand_as(rotmats)
    torch.testing.assert_close(rotmats @ rotmats.mT, eye, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotmats), torch.ones(3, 24, dtype=torch.float64), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("dtype", "degrees"), [(torch.float32, 1e-3), (torch.float16, 0.3), (torch.bfloat16, 3.0)])
def test_engine_network_is_the_same_function(network, images, dtype, degrees):
    expected = network(images)
    engine = EngineNetwork(copy.deepcopy(network), dtype)
    out = engine(images)
    assert all(tensor.dtype == torch.float32 for tensor in out)
    assert torch.rad2deg(angle_between(out.body_pose, expected.body_pose)).max() < degrees
    assert torch.rad2deg(angle_between(out.global_orient, expected.global_orient)).max() < degrees
    decoded = TokenDecoder(engine.network)(out.token_probabilities)
    assert torch.rad2deg(angle_between(decoded, out.body_pose[:, :21])).max() < degrees


def test_half_precision_is_where_it_should_be(network):
    engine = EngineNetwork(copy.deepcopy(network), torch.float16)
    dtypes = {name: tensor.dtype for name, tensor in engine.named_parameters()}
    assert {d for n, d in dtypes.items() if "norm" in n} == {torch.float32}
    assert {d for n, d in dtypes.items() if n.endswith(("qkv.weight", "to_kv.weight", "conv3.weight"))} == {
        torch.float16
    }


def test_tokenizer_round_trip_of_codes(small_files):
    tokenizer = load_tokenizer(small_files.tokenizer)
    codes = torch.randint(0, 64, (5, 160), generator=torch.Generator().manual_seed(2))
    rotmats = tokenizer.decode(codes)
    assert rotmats.shape == (5, 21, 3, 3)
    certain = torch.nn.functional.one_hot(codes, 64).float()
    torch.testing.assert_close(tokenizer.decode_probabilities(certain), rotmats, atol=1e-5, rtol=0)
    encoded = tokenizer.encode(rotmats)
    state = _double(torch.load(small_files.tokenizer, weights_only=True)["net"])
    features = _encode(state, rotmats[..., :2, :].flatten(-2).double())
    assert torch.equal(encoded, torch.cdist(features, state["quantizer.codebook"]).argmin(-1))


def _double(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.double() for key, tensor in state.items()}


def _affine(s, key, x):
    y = torch.einsum("...i,oi->...o", x, s[f"{key}.weight"])
    return y + s[f"{key}.bias"] if f"{key}.bias" in s else y


def _norm(s, key, x, eps=1e-5):
    x = x - x.mean(-1, keepdim=True)
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * s[f"{key}.weight"] + s[f"{key}.bias"]


def _gelu(x):
    return x * 0.5 * (1 + torch.erf(x / 2**0.5))


def _attention(q, k, v, heads):
    split = [t.reshape(*t.shape[:2], heads, -1) for t in (q, k, v)]
    scores = torch.einsum("bqhd,bkhd->bhqk", split[0], split[1]) / split[0].shape[-1] ** 0.5
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    return torch.einsum("bhqk,bkhd->bqhd", weights, split[2]).flatten(2)


def _conv(s, key, x, dilation=1):
    """(B, L, C) by shifting; kernel 3 with equal padding, or 1."""
    weight, length = s[f"{key}.weight"], x.shape[1]
    reach = dilation * (weight.shape[-1] // 2)
    padded = torch.nn.functional.pad(x, (0, 0, reach, reach))
    taps = [padded[:, k * dilation : k * dilation + length] @ weight[..., k].T for k in range(weight.shape[-1])]
    return sum(taps) + s[f"{key}.bias"]


def _blocks(s, key, x):
    for block, dilation in ((0, 3), (1, 1)):
        inner = _conv(s, f"{key}.model.{block}.conv1", x.relu(), dilation).relu()
        x = x + _conv(s, f"{key}.model.{block}.conv2", inner)
    return x


def _resize(x, size):
    return x[:, [i * x.shape[1] // size for i in range(size)]]


def _decode(s, x):
    x = _conv(s, "decoder.decoder.0", x).relu()
    for index, size in zip((3, 6, 9, 12), (125, 90, 55, 21), strict=True):
        x = _conv(s, f"decoder.decoder.{index}", _resize(x, size)).relu()
    x = _blocks(s, "decoder.decoder.14.0", x)
    return _conv(s, "decoder.decoder.15", _conv(s, "decoder.decoder.14.1", x))


def _encode(s, x):
    x = _conv(s, "encoder.encoder.0", x).relu()
    for index, size in zip((3, 6, 9, 12), (40, 80, 160, 320), strict=True):
        x = _conv(s, f"encoder.encoder.{index}", _resize(x, size)).relu()
    padded = torch.nn.functional.pad(x, (0, 0, 1, 1))
    halve = s["encoder.encoder.14.0.weight"]
    x = sum(padded[:, k : k + 319 : 2] @ halve[..., k].T for k in range(4)) + s["encoder.encoder.14.0.bias"]
    return _conv(s, "encoder.encoder.15", _blocks(s, "encoder.encoder.14.1", x))


def _reference(s, tokens, images):
    batch = len(images)
    padded = torch.nn.functional.pad(images[..., 32:224], (2, 2, 2, 2))
    patches = padded.unfold(2, 16, 16).unfold(3, 16, 16)[:, :, :16, :12]  # B 3 16 12 16 16
    patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(batch, 192, -1)
    weight = s["backbone.patch_embed.proj.weight"].flatten(1)
    x = patches @ weight.T + s["backbone.patch_embed.proj.bias"]
    x = x + s["backbone.pos_embed"][:, 1:] + s["backbone.pos_embed"][:, :1]
    for i in range(2):
        key = f"backbone.blocks.{i}"
        qkv = _affine(s, f"{key}.attn.qkv", _norm(s, f"{key}.norm1", x, 1e-6)).chunk(3, -1)
        x = x + _affine(s, f"{key}.attn.proj", _attention(*qkv, heads=16))
        hidden = _gelu(_affine(s, f"{key}.mlp.fc1", _norm(s, f"{key}.norm2", x, 1e-6)))
        x = x + _affine(s, f"{key}.mlp.fc2", hidden)
    context = _norm(s, "backbone.last_norm", x, 1e-6)

    t = "smpl_head.transformer"
    x = s[f"{t}.to_token_embedding.bias"].expand(batch, 1, -1) + s[f"{t}.pos_embedding"]
    for i in range(3):
        key = f"{t}.transformer.layers.{i}"
        qkv = _affine(s, f"{key}.0.fn.to_qkv", _norm(s, f"{key}.0.norm", x)).chunk(3, -1)
        x = x + _affine(s, f"{key}.0.fn.to_out.0", _attention(*qkv, heads=8))
        k, v = _affine(s, f"{key}.1.fn.to_kv", context).chunk(2, -1)
        q = _affine(s, f"{key}.1.fn.to_q", _norm(s, f"{key}.1.norm", x))
        x = x + _affine(s, f"{key}.1.fn.to_out.0", _attention(q, k, v, heads=8))
        x = x + _affine(s, f"{key}.2.fn.net.3", _gelu(_affine(s, f"{key}.2.fn.net.0", _norm(s, f"{key}.2.norm", x))))
    x = x[:, 0]

    d = "smpl_head.decpose"
    y = _norm(s, f"{d}.mixer_trans.ff.1", _affine(s, f"{d}.mixer_trans.ff.0", x)).relu().reshape(batch, 160, -1)
    for i in range(2):
        key = f"{d}.mixer_head.{i}"
        across = _affine(s, f"{key}.MLP_token.ff.0", _norm(s, f"{key}.layernorm1", y).mT)
        across = _affine(s, f"{key}.MLP_token.ff.3", _gelu(across)).mT
        within = _affine(s, f"{key}.MLP_channel.ff.0", _norm(s, f"{key}.layernorm2", y + across))
        y = y + across + _affine(s, f"{key}.MLP_channel.ff.3", _gelu(within))
    y = _norm(s, f"{d}.mixer_norm_layer.ff.1", _affine(s, f"{d}.mixer_norm_layer.ff.0", y)).relu()
    logits = _affine(s, f"{d}.class_pred_layer", y)

    body = _decode(tokens, logits.softmax(-1) @ tokens["quantizer.codebook"])
    parts = (_affine(s, "smpl_head.decpose_grot", x), body.flatten(1), _affine(s, "smpl_head.decpose_hands", x))
    rows = (torch.cat(parts, 1) + s["smpl_head.init_body_pose"]).reshape(batch, 24, 2, 3)
    first = rows[:, :, 0] / rows[:, :, 0].norm(dim=-1, keepdim=True)
    second = rows[:, :, 1] - (first * rows[:, :, 1]).sum(-1, keepdim=True) * first
    second = second / second.norm(dim=-1, keepdim=True)
    rotmats = torch.stack((first, second, torch.linalg.cross(first, second)), dim=2)
    return {
        "token_logits": logits,
        "body_pose_6d": body,
        "global_orient": rotmats[:, :1],
        "body_pose": rotmats[:, 1:],
        "betas": _affine(s, "smpl_head.decshape", x) + s["smpl_head.init_betas"],
        "cam": _affine(s, "smpl_head.deccam", x) + s["smpl_head.init_cam"],
    }
