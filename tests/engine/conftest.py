"""A small TokenHMR in the released layout: random weights, every part there, a few hundred kilobytes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from engine.tokenhmr.random_weights import write
from tests.small_tokenhmr import SMALL


class ReleasedFiles(NamedTuple):
    checkpoint: Path
    tokenizer: Path


@pytest.fixture(scope="session")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> ReleasedFiles:
    return ReleasedFiles(*write(tmp_path_factory.mktemp("released"), SMALL))
