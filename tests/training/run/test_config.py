"""Configurations of runs, in present words and in those of earlier versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import ConfigError
from training.landmarks.train import LandmarkTrainingConfig
from training.run.config import load_run_config, present
from training.tokenizer.train import TokenizerTraining


def test_keys_of_earlier_versions_go_on_working(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("steps: 10\nlearning_rate: 2e-4\nfinal_learning_rate: 1.0e-5\nbf16: false\n")
    config = load_run_config(TokenizerTraining, path)
    assert config.final_rate == 0.05
    assert config.precision == "no"
    path.write_text("evaluate_every: 7\n")
    assert load_run_config(LandmarkTrainingConfig, path).validate_every == 7
    assert load_run_config(LandmarkTrainingConfig, path, {"evaluate_every": 8}).validate_every == 8


def test_what_is_no_rate_is_told_by_the_new_word(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("steps: 10\nfinal_learning_rate: low\n")
    with pytest.raises(ConfigError, match="final_learning_rate is now final_rate, a share of learning_rate"):
        load_run_config(TokenizerTraining, path)


def test_the_default_rates_of_earlier_tokenizer_runs_are_the_present_ones() -> None:
    earlier = {"learning_rate": 1e-3, "final_learning_rate": 1e-5}
    assert present(earlier)["final_rate"] == TokenizerTraining(steps=1).final_rate
