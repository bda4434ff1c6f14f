"""Costs against torch's own counter of what the network really multiplies."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.tokenhmr.cost import decoder_cost, network_cost
from engine.tokenhmr.network import EngineNetwork, TokenDecoder, TokenHMR, TokenHmrConfig
from engine.tokenhmr.vit import VitConfig
from engine.tokens.released import ReleasedTokenizerConfig

OTHER = TokenHmrConfig(vit=VitConfig(depth=3, dim=1280, mlp_dim=96), tokenizer=ReleasedTokenizerConfig(width=40))


@pytest.mark.parametrize("config", [TokenHmrConfig(), OTHER], ids=["released", "other"])
def test_flops_are_those_that_torch_counts(config):
    with torch.device("meta"):
        network = EngineNetwork(TokenHMR(config), torch.float32)
        with FlopCounterMode(display=False) as counted:
            network(torch.zeros(1, 3, 256, 256))
        assert network_cost(config).flops == counted.get_total_flops()
        head = config.head
        with FlopCounterMode(display=False) as counted:
            TokenDecoder(network.network)(torch.zeros(1, head.tokens, head.codes))
        assert decoder_cost(config).flops == counted.get_total_flops()
