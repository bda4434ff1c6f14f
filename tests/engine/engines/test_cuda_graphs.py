"""Sessions of CUDA graphs as far as a machine without a GPU goes: who keeps what alive. A stand-in plays the GPU."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

from engine.engines.backends import pytorch
from engine.engines.backends.pytorch import CudaGraphSession
from engine.tokenhmr.graphs import NETWORK, graph_shapes


class _Stream:
    def wait_stream(self, other: _Stream) -> None:
        """Nothing runs here."""


class _Recording:
    """Keeps no more than a CUDA graph does: not the module whose weights it reads."""

    graph = None

    def __init__(self, *inputs: object) -> None:
        """Nothing is captured here."""


def test_weights_live_as_long_as_the_graphs_that_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Freed weights are overwritten by the next tensor on the GPU, and the engine's answers become noise."""
    monkeypatch.setattr(torch.cuda, "Stream", _Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", _Stream)
    monkeypatch.setattr(pytorch, "_Recording", _Recording)
    module = torch.nn.Linear(2, 2)
    alive = weakref.ref(module.weight)
    session = CudaGraphSession(module, graph_shapes(160, 64)[NETWORK], 4)
    del module
    gc.collect()
    assert alive() is not None
    session.close()
    gc.collect()
    assert alive() is None
