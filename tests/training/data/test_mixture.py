from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.errors import EngineError
from tests.training.rendered_people import Samples, rendered
from training.data.crops import CropAugmentation
from training.data.mixture import Mixture, Part
from training.readers.sample import Sample


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return rendered(8)


def test_the_mixture_follows_its_weights_and_counts_what_it_skips(samples: list[Sample]) -> None:
    parts = [Part(Samples(samples), 3.0, True), Part(Samples(samples, frozenset({2})), 1.0, False)]
    mixture = Mixture(parts, None, seed=1)
    rows = [mixture[row] for row in range(400)]
    assert 0.7 < np.mean([trusted for _, _, trusted in rows]) < 0.85
    assert 0 < mixture.skipped < 60
    again = Mixture(parts, None, seed=1)[399]
    assert again[0].name == rows[399][0].name
    with pytest.raises(EngineError, match="in a row cannot be read, the last: sample"):
        Mixture([Part(Samples(samples, frozenset(range(8))), 1.0, True)], None, 0)[0]
    with pytest.raises(EngineError, match="weights"):
        Mixture([Part(Samples(samples), 0.0, True)], None, 0)


def test_processes_share_the_batches_that_one_would_see(samples: list[Sample]) -> None:
    mixture = Mixture([Part(Samples(samples), 1.0, True)], CropAugmentation(), seed=2)
    whole = next(mixture.batches(4, 3, 4))
    shares = [next(mixture.batches(4, 3, 4, rank, 2)) for rank in range(2)]
    for i in range(4):
        share = shares[i % 2]
        assert whole.names[i] == share.names[i // 2]
        assert torch.equal(whole.images[i], share.images[i // 2])
