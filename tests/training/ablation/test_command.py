from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.config import ConfigError
from tests.training.toy_data import write_toy_body
from training.ablation import command as ablation
from training.ablation.rows import load_rows
from training.ablation.runs import done, made_of
from training.ablation.tables import BASE, SEED, Done, Paper, markdown
from training.ablation.trainers import TRAINERS, Inputs
from training.tokenizer.train import TokenizerTraining

TINY = """
steps: 3
batch: 4
precision: "no"
surface_every: 1
model: {codes: 16, code_dim: 4, width: 8}
"""
ROWS = """
base: tiny.yaml
overrides: {warmup_steps: 1, model.decoder_blocks: 1}
rows:
  no noise: {input_noise: 0, precision: bf16}
varied:
  codes:
    8: {model: {codes: 8}, paper: codebook 1024 x 256}
    16: {}
  mocap:
    first alone: {mocap_files: 1, augmentation.changed: 0}
"""


def write(folder: Path, rows: str = ROWS) -> Path:
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    path = folder / "rows.yaml"
    path.write_text(rows, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """A body of 24 joints, each a vertex of its own, and two mocap files of one clip a split."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("inputs")
    write_toy_body(folder / "body.npz")
    mocap = (folder / "first.npz", folder / "second.npz")
    for path in mocap:
        np.savez(
            path,
            poses_aa=(0.4 * rng.normal(size=(40, 22, 3))).astype(np.float16),
            clip_len=np.array([10, 10, 10, 10]),
            clip_name=np.array(["a", "b", "c", "d"]),
            split=np.array(["train", "val", "test", "test_ood"]),
            bad=np.zeros(40, bool),
            fps=np.array(30),
        )
    return Inputs(mocap, mocap, folder / "body.npz")


def command(rows: Path, inputs: Inputs, out: Path, *more: str) -> int:
    mocap = [str(path) for path in inputs.mocap]
    fixed = ["--trainer", "tokenizer", "--config", str(rows), "--body", str(inputs.body), "--out", str(out)]
    return ablation.main([*fixed, "--mocap", *mocap, *more])


def test_a_row_that_an_earlier_version_trained_is_done(tmp_path: Path, inputs: Inputs) -> None:
    base = load_rows(write(tmp_path), TokenizerTraining)[0]
    made = made_of(base, inputs)
    del made["config"]["final_rate"]
    made["config"]["final_learning_rate"] = 1e-5
    (tmp_path / base.folder).mkdir()
    record = {"made_of": made, "figures": {"val": {"mpjpe_mm": 7.0}}, "parameters": 3}
    (tmp_path / base.folder / "row.json").write_text(json.dumps(record))
    found = done(base, inputs, tmp_path)
    assert found is not None
    assert found.figures["val"]["mpjpe_mm"] == 7.0


def test_rows_are_the_base_the_common_overrides_and_their_own(tmp_path: Path) -> None:
    rows = {row.name: row for row in load_rows(write(tmp_path), TokenizerTraining)}
    assert list(rows) == [BASE, "no noise", "codes 8", "codes 16", "mocap first alone"]
    assert all(row.config.warmup_steps == 1 and row.config.model.decoder_blocks == 1 for row in rows.values())
    assert [row.config.model.codes for row in rows.values()] == [16, 16, 8, 16, 16]
    assert [row.config.input_noise for row in rows.values()] == [0.04, 0.0, 0.04, 0.04, 0.04]
    assert rows["codes 8"].config.model.width == 8
    assert rows["mocap first alone"].mocap_files == 1
    assert rows["codes 16"].config == rows[BASE].config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            "{augmentation.change: 1}",
            "row 'codes 8': .*'augmentation.change'; the nearest known one is 'augmentation.changed'",
        ),
        ("{model.codes: many}", "row 'codes 8'"),
        ("7", "row 'codes 8' must hold keys and values"),
        ("{paper: tokens 81}", "row 'codes 8': the paper's Table 3 has no row 'tokens 81'"),
        ("{mocap_files: 0}", "row 'codes 8': mocap_files must be a whole number from 1 on"),
    ],
)
def test_a_bad_row_is_refused_by_name(tmp_path: Path, changes: str, said: str) -> None:
    path = write(tmp_path, f"base: tiny.yaml\nvaried: {{codes: {{8: {changes}}}}}\n")
    with pytest.raises(ConfigError, match=said) as refused:
        load_rows(path, TokenizerTraining)
    assert "\n" not in str(refused.value)


def test_rows_that_would_share_a_folder_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "base: tiny.yaml\nrows: {a b: {seed: 1}, a-b: {seed: 2}}\n")
    with pytest.raises(ConfigError, match="two rows would go into the folder 'a-b'"):
        load_rows(path, TokenizerTraining)


def test_rows_are_trained_once_and_compared(tmp_path: Path, inputs: Inputs, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = write(tmp_path), tmp_path / "out"
    assert command(path, inputs, out, "--rows", BASE, "codes 8") == 0
    assert [row["name"] for row in json.loads((out / "ablation.json").read_text())] == [BASE, "codes 8", "codes 16"]
    first = (out / "codes-8" / "tokenizer.safetensors").stat()

    assert command(path, inputs, out, "--plot", "test_ood", "mpjpe_mm", str(tmp_path / "plot.png")) == 0
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "codes-8" / "tokenizer.safetensors").stat() == first
    assert not (out / "codes-16").exists()
    rows = {row["name"]: row for row in json.loads((out / "ablation.json").read_text())}
    assert list(rows) == [BASE, "no noise", "codes 8", "codes 16", "mocap first alone"]
    assert rows["codes 16"]["figures"] == rows[BASE]["figures"] != rows["codes 8"]["figures"]
    assert rows[BASE]["parameters"] - rows["codes 8"]["parameters"] == 8 * 4
    # Trained on one file, measured on both.
    assert rows["mocap first alone"]["figures"]["test"]["frames"] == 20
    table = (out / "ablation.md").read_text(encoding="utf-8")
    assert table.strip() in capsys.readouterr().out
    assert len(table.split("\n\n")[0].splitlines()) == 2 + 5


def test_landmark_rows_are_trained_and_compared(tmp_path: Path, inputs: Inputs) -> None:
    (tmp_path / "tiny.yaml").write_text(
        "{steps: 2, batch: 4, evaluate_people: 4, net: {head: direct, width: 16}}", encoding="utf-8"
    )
    (tmp_path / "rows.yaml").write_text("{base: tiny.yaml, rows: {wider: {net.width: 32}}}", encoding="utf-8")
    mocap = [str(path) for path in inputs.mocap]
    files = ["--config", str(tmp_path / "rows.yaml"), "--out", str(tmp_path / "out"), "--mocap", *mocap]
    assert ablation.main(["--trainer", "landmarks", *files]) == 0
    base, wider = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert base["parameters"] < wider["parameters"]
    assert base["figures"]["test"]["pa_mpjpe_mm"] > 0
    assert base["figures"] != wider["figures"]


def test_a_folder_of_other_rows_is_not_written_over(
    tmp_path: Path, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    rows = "base: tiny.yaml\noverrides: {steps: %d}\nrows: {}\n"
    assert command(write(tmp_path, rows % 2), inputs, out) == 0
    assert command(write(tmp_path, rows % 3), inputs, out) == 2
    assert "row.json is of another configuration or other files" in capsys.readouterr().err


def test_an_unknown_row_and_a_missing_file_are_refused_in_one_line(
    tmp_path: Path, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(write(tmp_path), inputs, tmp_path / "out", "--rows", "codes 9") == 2
    assert capsys.readouterr().err.splitlines() == [
        "training.ablation: no row 'codes 9': there are base, no noise, codes 8, codes 16, mocap first alone"
    ]
    gone = Inputs((tmp_path / "gone.npz",), (), inputs.body)
    assert command(write(tmp_path), gone, tmp_path / "out") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_paper_s_change_is_taken_between_its_own_rows() -> None:
    # Table 3: 2048 x 256 has 8.3, 2.2, 19.9 and 10.4 mm, 80 tokens 12.5, 4.1, 24.4 and 16.7, AMASS + MOYO 8.7, 2.6 ...
    assert Paper.named("tokens 80").change() == pytest.approx(
        (12.5 / 8.3 - 1, 4.1 / 2.2 - 1, 24.4 / 19.9 - 1, 16.7 / 10.4 - 1)
    )
    assert Paper.named(["AMASS + MOYO", "codebook 2048 x 256"]).change()[0] == pytest.approx(8.3 / 8.7 - 1)


def test_the_table_gives_changes_against_the_base() -> None:
    def figures(mm: float) -> dict[str, dict[str, float]]:
        return {split: {"mpjpe_mm": mm, "mve_mm": 2 * mm, "codes_used": 0.5} for split in ("test", "test_ood")}

    rows = [
        Done(BASE, BASE, "", 10, 2000, figures(10.0)),
        Done("codes 8", "codes", "8", 10, 1000, figures(12.0), Paper.named("tokens 80")),
    ]
    first, second = markdown(rows).split("\n\nChange against the base")
    assert first.splitlines()[2].startswith("| base |  | 10.0 | 20.0 | 50.0% | 10.0 |")
    assert first.splitlines()[3].startswith("| codes | 8 | 12.0 (+2.0) | 24.0 (+4.0) | 50.0% |")
    assert second.splitlines()[-1] == "| codes | 8 | +20 | +51 | +20 | +86 | +20 | +23 | +20 | +61 |"


def test_other_seeds_tell_what_is_noise() -> None:
    rows = [
        Done(name, varied, value, 10, 2000, {"test": {"mpjpe_mm": mm}})
        for name, varied, value, mm in (
            (BASE, BASE, "", 10.0),
            ("seed 0", SEED, "0", 10.0),
            ("seed 1", SEED, "1", 9.5),
            ("codes 8", "codes", "8", 20.0),
        )
    ]
    assert markdown(rows).endswith("\n\nThe base under 2 seeds: test MPJPE mm 9.5 to 10.0.")


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, inputs: Inputs, capsys: pytest.CaptureFixture[str]) -> None:
    plot = ["--rows", "--plot", "test", "mpjpe", str(tmp_path / "plot.png")]
    assert command(write(tmp_path), inputs, tmp_path / "out", *plot) == 2
    said = "training.ablation: the base has no 'test mpjpe' to draw: there are none, train the base first\n"
    assert capsys.readouterr().err == said


def test_the_shipped_rows_load_and_vary_one_thing_each() -> None:
    shipped = Path(__file__).parents[3] / "configs" / "tokenizer" / "ablation.yaml"
    trainer = TRAINERS["tokenizer"]()
    rows = load_rows(shipped, trainer.config)
    assert rows[0].name == BASE
    assert len({row.name for row in rows}) == len(rows)
    changed = [row for row in rows if row.config != rows[0].config or row.mocap_files]
    assert {row.varied for row in changed} == {row.varied for row in rows[1:]}
