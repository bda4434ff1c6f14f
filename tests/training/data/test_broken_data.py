"""Every form of data, damaged: what cannot be read is told in one line, and whole files beside it are still read."""

from __future__ import annotations

import io
import json
import logging
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine.errors import EngineError
from tests.training.image_sets import bedlam, coco, emdb, person, tar, threedpw
from training.readers import amass, bvh, moyo, session
from training.readers.files import BrokenFileError, LayoutError
from training.readers.forms import open_images

BVH = """HIERARCHY
ROOT pelvis
{
OFFSET 0 0 0
CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
%s}
MOTION
Frames: 2
Frame Time: 0.0333
%s
"""


def write_bvh(path: Path) -> None:
    names = ("left_hip", "left_knee", "left_shoulder", "left_elbow")
    joints = "".join(
        f"JOINT {name}\n{{\nOFFSET 0 0.1 0.2\nCHANNELS 3 Zrotation Xrotation Yrotation\n}}\n" for name in names
    )
    rows = "\n".join(" ".join(["0.1"] * 18) for _ in range(2))
    path.write_text(BVH % (joints, rows))


def poses(columns: int = 156) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).normal(size=(4, columns))


def recording() -> dict[str, Any]:
    return {
        "format": np.array("tokenmocap-session"),
        "poses": poses(),
        "valid": np.array([1, 1, 0, 1], bool),
        "mocap_frame_rate": np.array(30),
    }


def pack(path: Path, content: Any) -> None:
    """Write a file's content again, in the format that its name says."""
    if path.suffix == ".npz":
        np.savez(path, **content)
    elif path.suffix == ".json":
        path.write_text(json.dumps(content))
    elif path.suffix == ".tar":
        tar(path, [[content]])
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))


def unpack(path: Path) -> Any:
    """A file's content as a dictionary, None for one that is no such thing."""
    if path.suffix == ".npz":
        return dict(np.load(path))
    if path.suffix == ".json":
        return json.loads(path.read_text())
    return {".tar": lambda: person(), ".bvh": lambda: None}.get(path.suffix, lambda: pickle.loads(path.read_bytes()))()


class FormOfData(NamedTuple):
    make: Callable[[Path], Path]  # in a folder, by the path of the file that holds the labels
    read: Callable[[Path], Any]  # everything in the folder
    beside: str  # a second file's name


def all_samples(form: Any, split: str) -> Callable[[Path], list[object]]:
    def read(folder: Path) -> list[object]:
        images = open_images(form, folder, split)
        found: list[object] = []
        for i in range(len(images)):
            try:
                found.append(images[i])
            except BrokenFileError as error:
                found.append(str(error))
        return found

    return read


def make_file(name: str, write: Callable[[Path], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
        return path

    return make


FORMS = {
    "tars": FormOfData(make_file("0.tar", lambda p: tar(p, [[person()]])), all_samples("tars", ""), "1.tar"),
    "bedlam": FormOfData(lambda folder: bedlam(folder, "seq", 165), all_samples("bedlam", ""), "seq2.npz"),
    "threedpw": FormOfData(lambda folder: threedpw(folder, "test"), all_samples("threedpw", "test"), "z.pkl"),
    "emdb": FormOfData(emdb, all_samples("emdb", "emdb1"), "P2_data.pkl"),
    "coco": FormOfData(lambda folder: coco(folder, "val2017"), all_samples("coco", "val2017"), ""),
    "amass": FormOfData(
        make_file("a_poses.npz", lambda p: pack(p, {"poses": poses(), "mocap_framerate": np.array(60.0)})),
        amass.read,
        "b_poses.npz",
    ),
    "moyo": FormOfData(make_file("mosh/a.pkl", lambda p: pack(p, {"fullpose": poses(165)})), moyo.read, "b.pkl"),
    "session": FormOfData(make_file("a.npz", lambda p: pack(p, recording())), session.read, "b.npz"),
    "bvh": FormOfData(make_file("a.bvh", write_bvh), bvh.read, "b.bvh"),
}
UNFIT = (None, 5, "x", [], {}, np.zeros(0), np.zeros((2, 2)), np.full((3, 3), np.nan), np.zeros((0, 3, 3)), ["a", "b"])


def damaged(data: bytes) -> Iterator[bytes]:
    """Cut short, of something else, with wrong bytes."""
    rng = np.random.default_rng(0)
    yield from (data[:1], data[: len(data) // 2], data[:-1], b"<html>", b"\0" * 500)
    for _ in range(25):
        changed = bytearray(data)
        for place in rng.integers(len(data), size=rng.integers(1, 6)):
            changed[place] = rng.integers(256)
        yield bytes(changed)


def unfit(content: dict[str, Any], depth: int = 0) -> Iterator[dict[str, Any]]:
    """One entry gone, or of another type or shape, or not finite."""
    for key, value in content.items():
        yield {name: other for name, other in content.items() if name != key}
        for other in UNFIT:
            yield {**content, key: other}
        if isinstance(value, np.ndarray) and value.ndim:
            yield {**content, key: value[:-1]}
            if value.dtype.kind == "f":
                yield {**content, key: value * np.nan}
        if isinstance(value, dict) and depth < 2:
            yield from ({**content, key: inner} for inner in unfit(value, depth + 1))


def messages(read: Callable[[Path], Any], folder: Path) -> list[str]:
    """What is told of the whole, or of single samples; another error than EngineError ends the test."""
    try:
        return [told for told in read(folder) if isinstance(told, str)]
    except EngineError as error:
        return [str(error)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, about numbers that are not finite
@pytest.mark.parametrize("name", list(FORMS))
def test_damage_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    path = form.make(tmp_path)
    whole, content = path.read_bytes(), unpack(path)
    assert form.read(tmp_path)
    for data in damaged(whole):
        path.write_bytes(data)
        assert "\n" not in "".join(messages(form.read, tmp_path))
    for changed in unfit(content) if content is not None else ():
        try:
            pack(path, changed)
        except (TypeError, ValueError):  # JSON and .npz hold no such thing
            continue
        assert "\n" not in "".join(messages(form.read, tmp_path))


@pytest.mark.parametrize("name", list(FORMS))
def test_an_empty_file_is_skipped_by_name_or_refused_where_it_is_alone(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    form = FORMS[name]
    path = form.make(tmp_path)
    if form.beside:
        (path.parent / form.beside).write_bytes(b"")
        with caplog.at_level(logging.WARNING):
            assert form.read(tmp_path)
        assert "skipped 1 of 2" in caplog.text
        assert form.beside in caplog.text
        (path.parent / form.beside).unlink()
    path.write_bytes(b"")
    with pytest.raises(EngineError, match=rf"nothing to read in 1 .* files; the first: .*{path.name}"):
        form.read(tmp_path)


@pytest.mark.parametrize("name", list(FORMS))
def test_another_form_is_told_by_what_was_expected_and_what_was_seen(name: str, tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(LayoutError, match=r"is not in the form of .*: expected .*, saw readme\.txt"):
        FORMS[name].read(tmp_path)
    with pytest.raises(LayoutError, match="is no folder"):
        FORMS[name].read(tmp_path / "none")


def test_a_file_that_breaks_off_gives_none_of_its_people(tmp_path: Path) -> None:
    path = bedlam(tmp_path, "seq", 165)
    content = unpack(path)
    pack(path, {**content, "gtkps": content["gtkps"][:1]})  # of the second person nothing
    with pytest.raises(EngineError, match="nothing to read in 1 BEDLAM files"):
        open_images("bedlam", tmp_path, "")


def test_pickles_that_would_run_something_are_refused(tmp_path: Path) -> None:
    for name in ("threedpw", "emdb", "moyo"):
        path = FORMS[name].make(tmp_path / name)
        path.write_bytes(pickle.dumps({"fullpose": io.BytesIO}))
        with pytest.raises(EngineError, match="may be malicious"):
            FORMS[name].read(tmp_path / name)
