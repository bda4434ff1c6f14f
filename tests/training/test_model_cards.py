"""Every file of weights has a card and says itself how it was made."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors import safe_open

from realtime.assets import FACE, HANDS, OTHER_POSES, POSE

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "model-cards.md"
PARTS = ("What", "Data", "Licence", "Recipe", "Figures", "Limits", "Not for")


def cards() -> dict[str, str]:
    """The cards that have files, by title."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    named = {section.partition("\n")[0]: section for section in sections}
    return {title: text for title, text in named.items() if files_of(text)}


def files_of(card: str) -> list[str]:
    return re.findall(r"`((?:assets/)?[\w.]+\.(?:npz|safetensors|onnx|tflite))`", card)


def shipped(*suffixes: str) -> list[Path]:
    return sorted(path for path in (ROOT / "assets").iterdir() if path.suffix in suffixes)


def test_every_file_that_ships_has_a_card_and_every_card_s_file_is_there() -> None:
    named = {name for card in cards().values() for name in files_of(card)}
    there = {f"assets/{path.name}" for path in (ROOT / "assets").iterdir() if path.suffix != ".md"}
    assert named == there | {asset.name for asset in (*POSE, *OTHER_POSES, *HANDS, *FACE)}


@pytest.mark.parametrize("title", list(cards()))
def test_a_card_says_all_that_a_card_must(title: str) -> None:
    assert tuple(re.findall(r"^- \*\*([\w ]+)\*\*:", cards()[title], flags=re.MULTILINE)) == PARTS


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / link).exists(), link


def metadata(path: Path) -> dict[str, str]:
    if path.suffix == ".onnx":
        return {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    with safe_open(path, framework="np") as file:
        return dict(file.metadata())


@pytest.mark.parametrize("path", shipped(".safetensors", ".onnx"), ids=lambda path: path.name)
def test_weights_carry_configuration_seed_data_and_figures(path: Path) -> None:
    about = metadata(path)
    assert json.loads(about["config"])
    assert json.loads(about["training"])
    assert isinstance(json.loads(about["seed"]), int)
    assert re.fullmatch(r'"[0-9a-f]{64}"', about["mocap_sha256"])
    figures = json.loads(about["figures"])
    assert {"val", "test", "test_ood"} <= set(figures)
    assert all(np.isfinite(row["mpjpe_mm"]) and row["mpjpe_mm"] > 0 for row in figures.values())


@pytest.mark.parametrize(
    ("weights", "graph"),
    [("tokenizer.safetensors", "tokenizer_decoder.onnx"), ("landmarks.safetensors", "landmarks.onnx")],
)
def test_a_graph_says_the_same_as_the_weights_that_it_was_made_of(weights: str, graph: str) -> None:
    ours, theirs = metadata(ROOT / "assets" / weights), metadata(ROOT / "assets" / graph)
    for key in ("training", "seed", "mocap_sha256", "figures"):
        assert json.loads(ours[key]) == json.loads(theirs[key]), key
    # Weights made before an option existed leave it out; the graph, made later, names its default.
    assert json.loads(ours["config"]).items() <= json.loads(theirs["config"]).items()


def test_the_body_says_its_licence() -> None:
    with np.load(ROOT / "assets" / "body_open.npz", allow_pickle=False) as body:
        assert str(body["licence"]) == "CC0-1.0"
