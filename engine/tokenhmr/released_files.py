"""Loads the released TokenHMR files without running code from them; every key must be known.

Details of the layout: docs/tokenhmr.md. Depth and widths follow from the shapes, so that small models of the same
layout load too. Head counts, which do not follow from shapes, are the released ones.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import engine
from engine.errors import EngineError
from engine.files.torch_file import DOWNLOAD_AGAIN, read_torch_file
from engine.tokenhmr.network import TokenHMR, TokenHmrConfig
from engine.tokenhmr.pose_decoder import PoseDecoderConfig
from engine.tokenhmr.token_head import TokenHeadConfig
from engine.tokenhmr.vit import VitConfig
from engine.tokens.released import ReleasedTokenizer, ReleasedTokenizerConfig

logger = logging.getLogger(__name__)

Shapes = Mapping[str, tuple[int, ...]]

_WANTED = "give tokenhmr_model_latest.ckpt or another TokenHMR checkpoint"
_WANTED_TOKENIZER = "give TokenHMR's tokenizer.pth"

_LAYERS, _MIXERS = "smpl_head.transformer.transformer.layers.", "smpl_head.decpose.mixer_head."
# The body model's buffers (the user provides the body), a discriminator of the training, a flag of the trainer.
_IGNORED = ("smpl.", "discriminator.", "initialized")


def load_released_tokenhmr(checkpoint: Path | str, tokenizer: Path | str, *, device: str = "cpu") -> TokenHMR:
    """Load the network from the released files, in evaluation mode, frozen, fp32. See `engine.load_tokenhmr`.

    The tokenizer may also have this project's layout, for a checkpoint that was trained with it.
    """
    checkpoint = Path(checkpoint)
    state = _state_dict(checkpoint)
    kept = _floats({key: tensor for key, tensor in state.items() if not str(key).startswith(_IGNORED)}, checkpoint)
    tokens = engine.load_tokenizer(tokenizer)
    token_sizes = tokens.config if isinstance(tokens, ReleasedTokenizer) else ReleasedTokenizerConfig()
    with _sizes_of(checkpoint, _WANTED), torch.device("meta"):
        network = TokenHMR(config_from_shapes({k: tuple(t.shape) for k, t in kept.items()}, token_sizes))
    del network.tokenizer
    _fill(network, kept, tokenhmr_names(network.config), checkpoint, _WANTED)
    network.tokenizer = tokens
    head = network.config.head
    if (head.tokens, head.codes) != (tokens.num_tokens, tokens.num_codes):
        raise EngineError(
            f"{checkpoint} predicts {head.tokens} tokens over {head.codes} codes, {tokenizer} has {tokens.num_tokens} "
            f"over {tokens.num_codes}: give the tokenizer that the checkpoint was trained with"
        )
    if network.config != TokenHmrConfig():
        logger.warning("%s has other sizes than the released model: %s", checkpoint, _differences(network.config))
    return network.eval().requires_grad_(False).to(device)


def load_released_tokenizer(path: Path | str) -> ReleasedTokenizer:
    """Load the VQ-VAE from the released tokenizer.pth, in evaluation mode, frozen. Raises EngineError."""
    path = Path(path)
    content = read_torch_file(path, _WANTED_TOKENIZER)
    state = content.get("net")
    if not isinstance(state, dict):
        raise EngineError(f"{path} has no network under the key 'net', so it is no tokenizer; {_WANTED_TOKENIZER}")
    kept = _floats({key: tensor for key, tensor in state.items() if "body_model" not in str(key)}, path)
    with _sizes_of(path, _WANTED_TOKENIZER):
        config = tokenizer_config_from_shapes({key: tuple(tensor.shape) for key, tensor in kept.items()})
        with torch.device("meta"):
            tokenizer = ReleasedTokenizer(config)
    _fill(tokenizer, kept, tokenizer_names(config), path, _WANTED_TOKENIZER)
    return tokenizer.eval().requires_grad_(False)


def config_from_shapes(shapes: Shapes, tokenizer: ReleasedTokenizerConfig) -> TokenHmrConfig:
    """Derive sizes from the shapes of a released state dict; sizes without a tensor default to the released ones."""

    def size(key: str, axis: int, released: int) -> int:
        shape = shapes.get(key, ())
        return shape[axis] if axis < len(shape) else released

    layer, mixer = f"{_LAYERS}0", f"{_MIXERS}0"
    dim = size("backbone.patch_embed.proj.weight", 0, VitConfig.dim)
    hidden = size("smpl_head.decpose.class_pred_layer.weight", 1, TokenHeadConfig.hidden)
    tokens = size(f"{mixer}.MLP_token.ff.0.weight", 1, TokenHeadConfig.tokens)
    decoder_dim = size("smpl_head.transformer.pos_embedding", 2, PoseDecoderConfig.dim)
    return TokenHmrConfig(
        vit=VitConfig(
            depth=_count(shapes, "backbone.blocks."),
            dim=dim,
            mlp_dim=size("backbone.blocks.0.mlp.fc1.weight", 0, VitConfig.mlp_dim),
            patch=size("backbone.patch_embed.proj.weight", 2, VitConfig.patch),
        ),
        decoder=PoseDecoderConfig(
            depth=_count(shapes, _LAYERS),
            dim=decoder_dim,
            inner_dim=size(f"{layer}.1.fn.to_q.weight", 0, PoseDecoderConfig.inner_dim),
            mlp_dim=size(f"{layer}.2.fn.net.0.weight", 0, PoseDecoderConfig.mlp_dim),
            context_dim=dim,
        ),
        head=TokenHeadConfig(
            in_dim=decoder_dim,
            tokens=tokens,
            codes=size("smpl_head.decpose.class_pred_layer.weight", 0, TokenHeadConfig.codes),
            hidden=hidden,
            blocks=_count(shapes, _MIXERS),
            token_mlp=size(f"{mixer}.MLP_token.ff.0.weight", 0, TokenHeadConfig.token_mlp),
            channel_mlp=size(f"{mixer}.MLP_channel.ff.0.weight", 0, TokenHeadConfig.channel_mlp),
        ),
        tokenizer=tokenizer,
    )


def tokenizer_config_from_shapes(shapes: Shapes) -> ReleasedTokenizerConfig:
    """Derive sizes from a released tokenizer's shapes; the token count in `hparams` is wrong in some files."""
    codes, code_dim = shapes.get(
        "quantizer.codebook", (ReleasedTokenizerConfig.codes, ReleasedTokenizerConfig.code_dim)
    )
    blocks = [key for key in shapes if re.fullmatch(r"encoder\.encoder\.\d+\.1\.model\.\d+\.conv1\.weight", key)]
    # Counted, because a number in a damaged name may have any size: one in each stage, the first and the last.
    convolutions = [key for key in shapes if re.fullmatch(r"encoder\.encoder\.\d+\.weight", key)]
    stages = min(max(len(convolutions) - 2, 0), 16) if convolutions else ReleasedTokenizerConfig.stages
    width = shapes.get("encoder.encoder.0.weight", (ReleasedTokenizerConfig.width,))[0]
    return ReleasedTokenizerConfig(codes, code_dim, width, stages, len(blocks) or ReleasedTokenizerConfig.blocks)


def tokenhmr_names(config: TokenHmrConfig) -> dict[str, str]:
    """Map our modules' names to the released ones, without the tokenizer's; the backbone's are the same."""
    names = {
        "init_body_pose": "smpl_head.init_body_pose",
        "init_betas": "smpl_head.init_betas",
        "init_cam": "smpl_head.init_cam",
        "decoder.position": "smpl_head.transformer.pos_embedding",
        "decoder.embed_zero": "smpl_head.transformer.to_token_embedding",
        "heads.global_orient": "smpl_head.decpose_grot",
        "heads.hands": "smpl_head.decpose_hands",
        "heads.betas": "smpl_head.decshape",
        "heads.cam": "smpl_head.deccam",
        "token_head.spread.linear": "smpl_head.decpose.mixer_trans.ff.0",
        "token_head.spread.norm": "smpl_head.decpose.mixer_trans.ff.1",
        "token_head.gather.linear": "smpl_head.decpose.mixer_norm_layer.ff.0",
        "token_head.gather.norm": "smpl_head.decpose.mixer_norm_layer.ff.1",
        "token_head.classify": "smpl_head.decpose.class_pred_layer",
    }
    for i in range(config.decoder.depth):
        ours, theirs = f"decoder.layers.{i}", f"{_LAYERS}{i}"
        names |= {
            f"{ours}.self_attention.norm": f"{theirs}.0.norm",
            f"{ours}.self_attention.to_qkv": f"{theirs}.0.fn.to_qkv",
            f"{ours}.self_attention.to_out": f"{theirs}.0.fn.to_out.0",
            f"{ours}.cross_attention.norm": f"{theirs}.1.norm",
            f"{ours}.cross_attention.to_q": f"{theirs}.1.fn.to_q",
            f"{ours}.cross_attention.to_kv": f"{theirs}.1.fn.to_kv",
            f"{ours}.cross_attention.to_out": f"{theirs}.1.fn.to_out.0",
            f"{ours}.feed_forward.norm": f"{theirs}.2.norm",
            f"{ours}.feed_forward.expand": f"{theirs}.2.fn.net.0",
            f"{ours}.feed_forward.project": f"{theirs}.2.fn.net.3",
        }
    for i in range(config.head.blocks):
        ours, theirs = f"token_head.mixers.{i}", f"{_MIXERS}{i}"
        names |= {
            f"{ours}.token_norm": f"{theirs}.layernorm1",
            f"{ours}.token_mlp.expand": f"{theirs}.MLP_token.ff.0",
            f"{ours}.token_mlp.project": f"{theirs}.MLP_token.ff.3",
            f"{ours}.channel_norm": f"{theirs}.layernorm2",
            f"{ours}.channel_mlp.expand": f"{theirs}.MLP_channel.ff.0",
            f"{ours}.channel_mlp.project": f"{theirs}.MLP_channel.ff.3",
        }
    return names


def tokenizer_names(config: ReleasedTokenizerConfig) -> dict[str, str]:
    """Map our modules' names to the released ones, for the tokenizer.

    Both released halves are sequences: convolution, ReLU; for each stage resize, convolution, ReLU. Then come the
    residual blocks with the convolution that halves (encoder) or mixes (decoder), and the last convolution.
    """
    end = 3 * config.stages + 2
    names = {"codebook": "quantizer.codebook"}
    for half, single, first in (("encoder", "halve", 0), ("decoder", "mix", 1)):
        theirs = f"{half}.{half}"
        names |= {f"{half}.enter": f"{theirs}.0", f"{half}.leave": f"{theirs}.{end + 1}"}
        names |= {f"{half}.convs.{i}": f"{theirs}.{3 * i + 3}" for i in range(config.stages)}
        names[f"{half}.{single}"] = f"{theirs}.{end}.{first}"
        for i in range(config.blocks):
            block = f"{theirs}.{end}.{1 - first}.model.{i}"
            names |= {f"{half}.residual.{i}.conv3": f"{block}.conv1", f"{half}.residual.{i}.conv1": f"{block}.conv2"}
    return names


def released_key(ours: str, names: Mapping[str, str]) -> str:
    """Return the released key of one of our parameters."""
    if ours in names:
        return names[ours]
    module, _, leaf = ours.rpartition(".")
    return f"{names.get(module, module)}.{leaf}"


def _fill(network: nn.Module, given: Mapping[str, Tensor], names: Mapping[str, str], path: Path, wanted: str) -> None:
    """Load released tensors into a network on the meta device: all of them, or none."""
    expected = {released_key(ours, names): (ours, tuple(t.shape)) for ours, t in network.state_dict().items()}
    missing = [key for key in expected if key not in given]
    extra = [key for key in given if key not in expected]
    misshapen = [
        f"{key} {tuple(given[key].shape)} for {shape}"
        for key, (_, shape) in expected.items()
        if key in given and tuple(given[key].shape) != shape
    ]
    faults = [
        f"{what} {_first(keys)}"
        for what, keys in (("lacks", missing), ("has unknown", extra), ("has", misshapen))
        if keys
    ]
    if faults:
        raise EngineError(f"{path} is not in TokenHMR's layout: it {', it '.join(faults)}; {wanted}")
    broken = [key for key, tensor in given.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise EngineError(f"{path} holds numbers that are not finite in {_first(broken)}; {DOWNLOAD_AGAIN}")
    network.load_state_dict({ours: given[key] for key, (ours, _) in expected.items()}, assign=True)


def _state_dict(path: Path) -> dict[str, Any]:
    """Return the weights of a Lightning checkpoint, whole or reduced to its state dict."""
    content = read_torch_file(path, _WANTED)
    state = content.get("state_dict", content)
    if not isinstance(state, dict) or not any(str(key).startswith(("backbone.", "smpl_head.")) for key in state):
        keys = _first([str(key) for key in (state if isinstance(state, dict) else content)])
        raise EngineError(f"{path} holds {keys}, which is no TokenHMR checkpoint; {_WANTED}")
    if "smpl_head.decpose.weight" in state:
        raise EngineError(
            f"{path} is a checkpoint of HMR2 (4D-Humans): it has smpl_head.decpose.weight, a linear head of another "
            f"rotation convention, where TokenHMR has tokens; {_WANTED}"
        )
    return state


def _floats(state: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    """Convert the tensors to fp32. Raises EngineError for any value that is no numeric tensor."""
    odd = [str(key) for key, value in state.items() if not (torch.is_tensor(value) and value.is_floating_point())]
    if odd:
        raise EngineError(f"{path} has no floating-point tensor under {_first(odd)}; {DOWNLOAD_AGAIN}")
    if sum(tensor.nbytes for tensor in state.values()) > path.stat().st_size:
        raise EngineError(f"{path} has the same numbers under several keys; {DOWNLOAD_AGAIN}")
    return {str(key): tensor.detach().float() for key, tensor in state.items()}


def _differences(config: TokenHmrConfig) -> str:
    """List the sizes of a network that differ from the released ones."""
    released = asdict(TokenHmrConfig())
    return ", ".join(
        f"{part}.{name} {size} for {released[part][name]}"
        for part, sizes in asdict(config).items()
        for name, size in sizes.items()
        if size != released[part][name]
    )


def _first(keys: Sequence[str], count: int = 3) -> str:
    """List the first few keys, and the number of the others."""
    more = f" and {len(keys) - count} more" if len(keys) > count else ""
    return ", ".join(keys[:count]) + more


def _count(shapes: Shapes, prefix: str) -> int:
    """Count the numbered parts of a released list."""
    return len({key[len(prefix) :].split(".")[0] for key in shapes if re.match(re.escape(prefix) + r"\d+\.", key)})


@contextmanager
def _sizes_of(path: Path | str, wanted: str) -> Iterator[None]:
    """Report sizes that no network can have as an error of the file."""
    try:
        yield
    except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineError(f"{path} is not in TokenHMR's layout: {str(error).splitlines()[0]}; {wanted}") from error
