"""Configuration that every run has, and the keys by which earlier versions knew it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from engine.config import ConfigError, load_config

C = TypeVar("C", bound="RunConfig")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The part of a configuration that `training.run.loop` reads; each trainer adds its own and sets the defaults."""

    steps: int
    batch: int = 256  # of all processes together
    learning_rate: float
    final_rate: float = 0.01  # of learning_rate, at the end of a cosine; 1 keeps it constant
    warmup_steps: int = 0
    weight_decay: float = 1e-4
    clip_norm: float = 0.0  # 0: gradients are not clipped
    precision: Literal["no", "bf16", "fp16"] = "bf16"
    seed: int = 0
    log_every: int = 50
    checkpoint_every: int = 1000
    validate_every: int = 2000


def load_run_config(cls: type[C], path: Path, overrides: dict[str, Any] | None = None) -> C:
    """Build a trainer's configuration from a YAML file, of this version or an earlier one, and from `overrides`.

    Raises ConfigError as `engine.config.load_config` does.
    """
    return load_config(cls, path, overrides, translate=present)


def present(config: Mapping[str, Any]) -> dict[str, Any]:
    """Translate keys of earlier versions, as configurations, checkpoints and weights hold them."""
    found = dict(config)
    if "bf16" in found:
        found["precision"] = "bf16" if found.pop("bf16") else "no"
    if "evaluate_every" in found:
        found["validate_every"] = found.pop("evaluate_every")
    if "final_learning_rate" in found:  # of the tokenizer, whose learning_rate was 1e-3 unless given
        final, peak = found.pop("final_learning_rate"), found.get("learning_rate", 1e-3)
        try:
            found["final_rate"] = round(float(final) / float(peak), 12)
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise ConfigError("final_learning_rate is now final_rate, a share of learning_rate") from error
    return found
