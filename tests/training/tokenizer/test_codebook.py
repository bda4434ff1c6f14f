from __future__ import annotations

import torch

from training.tokenizer.codebook import EmaCodebook


def test_a_code_in_use_is_the_moving_average_of_its_features_and_an_idle_one_is_reset() -> None:
    codes = torch.zeros(2, 1)
    learner = EmaCodebook(2, 1, decay=0.5)
    generator = torch.Generator().manual_seed(0)
    learner.start(codes, torch.tensor([[4.0]]), generator)
    assert codes.tolist() == [[4.0], [4.0]]
    # Code 0: count 0.5 + 0.5 * 3, sum 0.5 * 4 + 0.5 * 18. Code 1 falls to a count of 0.5 and takes a feature's place.
    used = learner.update(codes, torch.tensor([[6.0], [6.0], [6.0]]), torch.tensor([0, 0, 0]), generator)
    assert codes.tolist() == [[11.0 / 2.0], [6.0]]
    assert learner.counts.tolist() == [2.0, 1.0]
    assert used == 0.5
