"""The committed configurations are those that the shipped weights say they were made with."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from engine.files.weights import ASSETS, load_weights
from training.landmarks.train import LandmarkTrainingConfig
from training.run.config import RunConfig, load_run_config, present
from training.tokenizer.train import TokenizerTraining

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def configured(cls: type[RunConfig], name: str) -> dict[str, Any]:
    """A committed configuration as the metadata of weights hold it."""
    return json.loads(json.dumps(asdict(load_run_config(cls, CONFIGS / name))))


def differing(stated: dict[str, Any], config: dict[str, Any], prefix: str = "") -> list[str]:
    """Keys that are stated otherwise than configured."""
    found = []
    for key, value in stated.items():
        if isinstance(value, dict):
            found += differing(value, config[key], f"{prefix}{key}.")
        elif value != config[key]:
            found.append(f"{prefix}{key}")
    return found


def test_the_landmark_estimator_s_metadata_are_its_configuration() -> None:
    about = load_weights(ASSETS / "landmarks.safetensors", "landmark-estimator").about
    assert present(about["training"]) == configured(LandmarkTrainingConfig, "landmarks/shipped_5_arms.yaml")


def test_the_tokenizer_s_metadata_are_its_configuration() -> None:
    """Keys that came later are not in the metadata; their defaults change nothing."""
    stated = present(load_weights(ASSETS / "tokenizer.safetensors", "pose-tokenizer").about["training"])
    config = configured(TokenizerTraining, "tokenizer/compact.yaml")
    assert differing(stated, config) == []
    later = {"input_noise_start", "input_noise_every", "file_shares"}
    assert config.keys() - stated.keys() == later
    assert (config["input_noise_start"], config["input_noise_every"], config["file_shares"]) == (0.0, 1, {})


@pytest.mark.parametrize(
    ("name", "head", "steps", "rate"),
    [
        ("1_direct", "direct", 11000, 8e-4),
        ("2_tokens", "token", 6800, 5e-4),
        ("3_hidden", "token", 2500, 4e-4),
        ("4_recorded", "token", 2000, 3e-4),
        ("5_arms", "token", 2300, 2e-4),
    ],
)
def test_the_runs_before_the_shipped_one_load(name: str, head: str, steps: int, rate: float) -> None:
    config = load_run_config(LandmarkTrainingConfig, CONFIGS / "landmarks" / f"shipped_{name}.yaml")
    assert (config.net.head, config.net.width, config.steps, config.learning_rate) == (head, 1024, steps, rate)
