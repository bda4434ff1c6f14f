"""Results of solved videos: measures, filter, data set, page."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from smplcodec import SMPLCodec

from engine.body.model import BodyModel
from engine.errors import UserError
from realtime.archive.results.amass import lay_out_amass
from realtime.archive.results.manifest import kept_takes, write_manifest
from realtime.archive.results.page import write_page
from realtime.archive.results.quality import TakeQuality, conditions_of, take_quality
from realtime.archive.results.record import Record, SolvedCamera, read_record
from realtime.archive.table import read_table
from realtime.outputs.recording.session import load_session
from tests.realtime.outputs.export.recording import record

CAMERA = SolvedCamera(50.0, 10.0, 0.0, "room", 2.0)


def take(file: str = "take.npz", **known: Any) -> TakeQuality:
    usual = {"person": 0, "seconds": 1.0, "coverage": 0.9, "confidence": 0.8, "contact_quality": None}
    return TakeQuality(file, **usual | known)


def solved(id_: str, *takes: TakeQuality, **known: Any) -> Record:
    made = {"camera": CAMERA, "coverage": 0.9, "confidence": 0.8, "frames": 30, "people": len(takes), "seconds": 1.0}
    return Record(id_, f"in/{id_}", "done", "{}", "1 1", takes=takes, **made | known)


def test_measures_are_those_of_the_session(tmp_path: Path, open_body: BodyModel) -> None:
    path = record(tmp_path / "take.npz", open_body)
    session = load_session(path)
    quality = take_quality(path, 2 * session.frames / session.mocap_framerate)
    assert (quality.file, quality.person) == ("take.npz", session.person)
    assert quality.coverage == pytest.approx(session.valid.mean() / 2)
    assert quality.confidence == pytest.approx(session.confidence[session.valid].mean())
    assert session.contacts is not None
    moved = still = 0
    for k in range(1, session.frames):  # one foot and one frame at a time
        for heel, ankle in ((0, 7), (2, 8)):
            held = [session.contacts[i, heel : heel + 2].max() > 0.5 and session.valid[i] for i in (k - 1, k)]
            steps = [np.linalg.norm(session.joints[k, j] - session.joints[k - 1, j]) for j in (ankle, ankle + 3)]
            moved += all(held)
            still += all(held) and min(steps) * session.mocap_framerate < 0.4
    assert quality.contact_quality == (pytest.approx(still / moved) if moved else None)


def test_a_filter_holds_for_each_person() -> None:
    video = solved("a.mp4", take(), take("take.p2.npz", coverage=0.3, contact_quality=0.2))
    assert [each.file for each in kept_takes(video, conditions_of(["coverage>=0.5"]))] == ["take.npz"]
    assert [each.file for each in kept_takes(video, conditions_of(["contact_quality >= 0.5"]))] == ["take.npz"]
    assert len(kept_takes(video, conditions_of(["coverage<=0.9,confidence>=0.8", "doubt<=2"]))) == 2
    assert kept_takes(video, conditions_of(["doubt<=1.5"])) == []
    with pytest.raises(UserError, match="and a number, not 'height>=1'"):
        conditions_of(["height>=1"])


def test_a_record_is_read_as_it_was_written_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    video = solved("a.mp4", take(), warnings=("it ends early",), columns={"licence": "CC0"}, height=(1.8,))
    video.write(tmp_path)
    assert read_record(tmp_path) == video
    file = tmp_path / "record.json"
    file.write_bytes(file.read_bytes()[:-20])
    assert read_record(tmp_path) is None
    file.write_text('{"id": "a"}')
    assert read_record(tmp_path) is None


def test_the_manifest_passes_columns_through_and_is_an_input_itself(tmp_path: Path) -> None:
    records = [solved("b", take(), columns={"licence": "CC0"}), solved("a", columns={"source": "x"})]
    path = write_manifest(tmp_path, records, conditions_of(["coverage>=0.95"]))
    rows = read_table(path)
    assert [(row["id"], row.get("licence"), row.get("source"), row["kept"]) for row in rows] == [
        ("b", "CC0", None, False),
        ("a", None, "x", False),
    ]


def test_the_data_set_has_whom_the_filter_keeps_and_nobody_else(tmp_path: Path, open_body: BodyModel) -> None:
    out = tmp_path / "walks"
    records = []
    for id_ in ("day/one.mp4", "day_one.mp4", "two.mp4"):
        (out / "videos" / id_).mkdir(parents=True)
        record(out / "videos" / id_ / "take.npz", open_body)
        records.append(solved(id_, take(coverage=0.5 if id_ == "two.mp4" else 0.9), columns={"licence": "CC0"}))
    lay_out_amass(out, records, ())
    data_set = out / "amass" / "walks"
    files = sorted(data_set.glob("*/*_poses.npz"))  # as loaders look for them
    assert [file.parent.name for file in files] == ["day%2Fone.mp4", "day_one.mp4", "two.mp4"]
    frames = load_session(out / "videos" / "two.mp4" / "take.npz").frames
    assert SMPLCodec.from_amass_npz(str(files[2])).frame_count == frames
    with np.load(files[0]) as data:
        assert data["poses"].shape == (frames, 156)
    first = files[0].stat().st_mtime_ns

    lay_out_amass(out, records, conditions_of(["coverage>=0.8"]))
    assert sorted(data_set.glob("*/*_poses.npz")) == files[:2]
    assert files[0].stat().st_mtime_ns == first
    assert not (data_set / "two.mp4").exists()
    with (data_set / "sources.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"file": "day%2Fone.mp4/person1_poses.npz", "video": "day/one.mp4", "licence": "CC0"}
    assert len(rows) == 2


def test_the_page_shows_the_worst_first_and_escapes_what_it_names(tmp_path: Path) -> None:
    records = [
        solved("good.mp4", take(), columns={"source": "<script>"}),
        solved("half & half.mp4", take(), coverage=0.4),
        replace(solved("sliding.mp4", take()), contact_quality=0.1),
        Record("broken.mp4", "in/broken.mp4", "failed", "{}", "", error="it is <empty>"),
    ]
    write_page(tmp_path, records, {"in/shut": "Permission denied"}, 5)
    page = (tmp_path / "index.html").read_text()
    names = re.findall(r"<h2>(.*?)</h2>", page)
    assert names == ["broken.mp4", "sliding.mp4", "half &amp; half.mp4", "good.mp4"]
    assert "3 of 5 videos solved" in page
    assert "it is &lt;empty&gt;" in page
    assert "source: &lt;script&gt;" in page
    assert "in/shut could not be searched: Permission denied" in page
    assert 'src="videos/half%20%26%20half.mp4/thumbnail.jpg"' in page
