from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.tokens.tokenizer import LIMB_ORDER, PoseTokenizer, PoseTokenizerConfig

CONFIG = PoseTokenizerConfig(codes=32, code_dim=8, width=16)


@pytest.fixture
def tokenizer() -> PoseTokenizer:
    torch.manual_seed(0)
    return PoseTokenizer(CONFIG).eval().requires_grad_(False)


@pytest.fixture
def rotmats() -> torch.Tensor:
    return torch.from_numpy(Rotation.random(5 * 21, rng=0).as_matrix()).float().reshape(5, 21, 3, 3)


def test_codes_and_rotations_have_the_contracts_shapes(tokenizer: PoseTokenizer, rotmats: torch.Tensor) -> None:
    codes = tokenizer.encode(rotmats)
    assert codes.shape == (5, 42)
    assert codes.dtype == torch.int64
    decoded = tokenizer.decode(codes)
    assert decoded.shape == (5, 21, 3, 3)
    torch.testing.assert_close(decoded @ decoded.mT, torch.eye(3).expand(5, 21, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(decoded), torch.ones(5, 21), atol=1e-5, rtol=0)


def test_the_nearest_code_is_that_of_a_plain_search(tokenizer: PoseTokenizer) -> None:
    features = torch.randn(3, 42, 8)
    distances = (features[:, :, None] - tokenizer.codebook).norm(dim=-1)
    assert torch.equal(tokenizer.nearest(features), distances.argmin(-1))


def test_certain_probabilities_decode_as_their_codes(tokenizer: PoseTokenizer, rotmats: torch.Tensor) -> None:
    codes = tokenizer.encode(rotmats)
    certain = torch.nn.functional.one_hot(codes, 32).float()
    torch.testing.assert_close(tokenizer.decode_probabilities(certain), tokenizer.decode(codes), atol=1e-5, rtol=0)


def test_probabilities_pass_gradients_through_the_frozen_decoder(tokenizer: PoseTokenizer) -> None:
    logits = torch.randn(2, 42, 32, requires_grad=True)
    tokenizer.decode_probabilities(logits.softmax(-1))[:, :, 0, 0].sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().amax(-1).min() > 0


def test_an_arm_does_not_touch_the_other_limbs(tokenizer: PoseTokenizer, rotmats: torch.Tensor) -> None:
    moved = rotmats.clone()
    wrist = 20 - 1
    moved[:, wrist] = moved[:, wrist] @ torch.from_numpy(Rotation.from_rotvec([0, 2.0, 0]).as_matrix()).float()
    changed = (tokenizer.encode(moved) != tokenizer.encode(rotmats)).any(0)
    assert changed.any()
    place = LIMB_ORDER.index(wrist)
    within_reach = torch.zeros(21, dtype=torch.bool)
    within_reach[place - 2 : place + 3] = True  # two convolutions of three joints
    assert not changed.view(21, 2).any(1)[~within_reach].any()


def test_the_limb_order_names_every_body_joint_once() -> None:
    assert sorted(LIMB_ORDER) == list(range(21))


def test_importing_the_engine_imports_no_torch() -> None:
    code = "import engine, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
