from __future__ import annotations

from pathlib import Path

import pytest

import run_live
from engine.config import ConfigError
from realtime.capture.source import SourceConfig
from realtime.run.command import parse


def test_flags_land_where_they_belong() -> None:
    line = "--video a.mp4 --offline --smoothing off --view none --record s.npz --fov 50 --height 1.8 --people 2"
    config = parse(line.split())
    assert config.source == SourceConfig(video=Path("a.mp4"))
    assert (config.offline, config.smoothing.level, config.view) == (True, "off", "none")
    assert config.record == Path("s.npz")
    assert (config.camera.fov_deg, config.body.height_m, config.perception.max_people) == (50.0, 1.8, 2)


def test_calibrating_is_asked_for_by_a_flag() -> None:
    assert parse(["--cam", "0", "--calibrate"]).calibrate
    assert not parse(["--cam", "0"]).calibrate


def test_heights_are_one_number_or_several(tmp_path: Path) -> None:
    body = parse(["--demo", "--height", "1.8,1.6"]).body
    assert body.height_m == body.heights_m == (1.8, 1.6)
    assert parse(["--demo", "--height", "1.8"]).body.heights_m == (1.8,)
    assert parse(["--demo"]).body.heights_m == ()
    path = tmp_path / "mine.yaml"
    for text, expected in (("1.8", (1.8,)), ("[1.8, 1.6]", (1.8, 1.6))):
        path.write_text(f"body: {{height_m: {text}}}\n")
        assert parse(["--demo", "--config", str(path)]).body.heights_m == expected


def test_streams_add_up() -> None:
    config = parse(["--demo", "--stream", "zmq://:0", "--stream", "vmc://"])
    assert config.stream == ("zmq://:0", "vmc://")
    assert parse(["--demo"]).stream == ()


def test_page_and_film_are_asked_for_by_flags() -> None:
    config = parse(["--demo", "--view", "web", "--record-video", "out.mp4"])
    assert (config.view, config.record_video, config.web.port) == ("web", Path("out.mp4"), None)


def test_defaults_are_the_documented_ones() -> None:
    config = parse(["--cam", "0"])
    assert config.source.cam == "0"
    assert (config.estimator, config.body.file, config.view) == ("landmarks", "open", "auto")
    assert (config.smoothing.level, config.camera.fov_deg, config.offline) == ("light", "auto", False)


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("source: {demo: true}\nsmoothing: {level: strong}\ncamera: {fov_deg: 70}\n")
    config = parse(["--config", str(path), "--smoothing", "medium"])
    assert config.source.demo
    assert (config.smoothing.level, config.camera.fov_deg) == ("medium", 70.0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--demo --smothing off", "unknown argument '--smothing'; the nearest known one is --smoothing"),
        ("--demo --smooth off", "unknown argument '--smooth'; the nearest known one is --smoothing"),
        ("--demo stray", "unknown argument 'stray'; the nearest known one is --stream"),
        ("--demo --smoothing much", 'Invalid value "much" for --smoothing. Choose from: "off", "light"'),
        ("--demo --view page", 'Invalid value "page" for --view. Choose from: "auto", "window"'),
        ("--demo --cam 0", "Mutually exclusive arguments: {--cam, --demo}"),
        ("--demo --record", "--record requires an argument"),
        ("--demo --seconds soon", 'Invalid value for --seconds: unable to convert "soon" into float'),
        ("--demo --fov wide", 'Invalid value for --fov: unable to convert "wide"'),
        ("--demo --people 2.7", 'Invalid value for --people: unable to convert "2.7" into int'),
        ("--demo --height 1.8,tall", "Invalid value for --height: could not convert string to float: 'tall'"),
    ],
)
def test_a_wrong_flag_is_one_line_and_exit_2(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_live.main(line.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("run_live.py: ")
    assert message in said
    assert said.count("\n") == 1


def test_the_last_of_a_flag_given_twice_counts() -> None:
    assert parse(["--demo", "--seconds", "1", "--seconds", "2"]).seconds == 2


def test_help_tells_choices_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    assert caught.value.code == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--smoothing CHOICE steadiness against delay [choices: off, light, medium, strong] [default: light]" in said
    assert "--offline every frame of a file, none dropped, as fast as it goes --config FILE" in said
    assert "--height METRES[,METRES...] statures" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--demo", "--fov", "0"], "fov_deg must lie between"),
        (["--demo", "--height", "17"], "height_m must lie between"),
        (["--demo", "--height", "1.7,17"], "height_m must lie between 0.5 and 2.6 metres, not 17"),
        (["--demo", "--seconds", "-1"], "seconds must be above 0"),
        (["--cam", "0", "--offline"], "--offline reads a file"),
    ],
)
def test_a_value_that_cannot_be_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(arguments)


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("camera: {fovdeg: 70}\n")
    with pytest.raises(ConfigError, match=r"unknown key 'camera\.fovdeg'; the nearest known one is 'camera\.fov_deg'"):
        parse(["--demo", "--config", str(path)])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{demo: true, width: -5}", r"source\.width and source\.height must be pixels from 1 on, not -5x720"),
        ("{demo: true, fps: 0}", r"source\.fps must be .* above 0, not 0\.0"),
        ("{demo: true, fps: .inf}", r"source\.fps must be .* above 0, not inf"),
    ],
)
def test_a_size_or_rate_that_no_source_has_is_refused(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"source: {source}\n")
    with pytest.raises(ConfigError, match=message):
        parse(["--config", str(path)])


def test_words_that_yaml_takes_for_false_are_the_choices_that_they_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("source: {cam: 0}\nfeet: off\nsmoothing: {level: off}\nperception:\n")
    config = parse(["--config", str(path), "--people", "2"])
    assert (config.source.cam, config.feet, config.smoothing.level, config.perception.max_people) == (
        "0",
        "off",
        "off",
        2,
    )


@pytest.mark.parametrize(
    ("flags", "body"),
    [
        ([], "open"), (["--hands"], "open-hands"), (["--face"], "open-hands"), (["--body", "open-hands"], "open-hands"),
        (["--hands", "--body", "SMPL.pkl"], "SMPL.pkl"),
    ],
)  # fmt: skip
def test_where_fingers_or_faces_are_looked_for_the_free_body_has_them(flags, body):
    assert parse(["--demo", *flags]).drawn_body == body
