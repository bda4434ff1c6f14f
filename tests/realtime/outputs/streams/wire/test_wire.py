from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import jsonschema
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime.kernel.messages import Camera, CameraSource, Person
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.streams.wire.wire import Wire
from tests.realtime.outputs.streams.synthetic_stream import (
    BETAS,
    BODY,
    JOINT_CONFIDENCE,
    contacts_at,
    person_at,
    solved_at,
)

SCHEMAS = Path(__file__).resolve().parents[5] / "docs" / "schemas"


def parsed(message: bytes) -> tuple[str, dict[str, Any]]:
    topic, _, text = message.decode().partition(" ")
    return topic, json.loads(text)


def check(message: bytes) -> dict[str, Any]:
    """The message's fields, after the schema of its topic was held to them; none may be missing from the schema."""
    topic, fields = parsed(message)
    schema = json.loads((SCHEMAS / f"{topic}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(fields, schema, jsonschema.Draft202012Validator)
    assert fields.keys() <= schema["properties"].keys()
    for person in fields.get("people", []):
        assert person.keys() <= schema["$defs"]["person"]["properties"].keys()
    return fields


def received_joints(skeleton: dict[str, Any], person: dict[str, Any]) -> np.ndarray:
    """What a receiver that knows only the messages makes of them: one joint after the other, in float64."""
    away = np.array(person["betas"]) - skeleton["betas"]
    offsets = person["scale"] * (np.array(skeleton["offsets"]) + np.array(skeleton["shape_offsets"]) @ away)
    turns: list[Rotation] = []
    places: list[np.ndarray] = []
    for joint, parent in enumerate(skeleton["parents"]):
        local = Rotation.from_quat(person["rotations"][joint])
        turns.append(local if parent < 0 else turns[parent] * local)
        places.append(np.array(person["trans"]) if parent < 0 else places[parent] + turns[parent].apply(offsets[joint]))
    return np.array(places)


def with_rotations(person: Person, rotations: np.ndarray) -> Person:
    return replace(person, pose=replace(person.pose, rotations=rotations))


def test_every_message_is_what_its_schema_says() -> None:
    wire = Wire(BODY)
    check(wire.skeleton())
    check(wire.pose(solved_at(0.5, 3), fps=29.97))
    check(wire.pose(solved_at(0.5, 4, people=()), fps=0.0))
    status = wire.status(LiveStatus(state="lost", source="cam", dropped=2, message='a "quoted" ü'))
    assert check(status)["message"] == 'a "quoted" ü'
    assert "camera" not in check(status)


@pytest.mark.parametrize("source", get_args(CameraSource))
def test_a_status_tells_the_camera(source: CameraSource) -> None:
    camera = Camera(36.2, 23.0, -13.3, source, 0.4)
    status = Wire(BODY).status(LiveStatus(state="running", camera=camera))
    expected = {"fov_deg": 36.2, "pitch_deg": 23.0, "roll_deg": -13.3, "source": source, "doubt_deg": 0.4}
    assert check(status)["camera"] == expected


def test_who_performs_is_told_where_somebody_was_chosen() -> None:
    wire, frame = Wire(BODY), solved_at(0.5, 3)
    assert "performer" not in check(wire.pose(frame, fps=30))
    assert check(wire.pose(replace(frame, performer=0), fps=30))["performer"] == 0
    assert "performer" not in check(wire.status(LiveStatus()))
    assert check(wire.status(LiveStatus(performer=7)))["performer"] == 7


def test_each_joints_confidence_goes_with_the_person() -> None:
    person = check(Wire(BODY).pose(solved_at(0.5, 3), fps=30))["people"][0]
    np.testing.assert_allclose(person["joint_confidence"], JOINT_CONFIDENCE, atol=5.1e-4)
    np.testing.assert_allclose(person["contacts"], contacts_at(0.5), atol=5.1e-4)


def test_a_schema_refuses_what_is_no_message() -> None:
    _, fields = parsed(Wire(BODY).pose(solved_at(0, 0), fps=30))
    schema = json.loads((SCHEMAS / "pose.json").read_text())
    fields["people"][0]["rotations"].pop()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(fields, schema)


def test_tokens_come_only_when_asked_for() -> None:
    wire, solved = Wire(BODY), solved_at(0, 0)
    assert "tokens" not in check(wire.pose(solved, fps=30))["people"][0]
    assert check(wire.pose(solved, fps=30, with_tokens=True))["people"][0]["tokens"] == list(range(40))


@pytest.mark.parametrize("scale", [1.0, 0.73])
def test_joints_from_the_messages_are_ours_for_every_shape_and_size(scale: float) -> None:
    wire = Wire(BODY)
    before = check(wire.skeleton())  # of the template: nobody was seen yet
    assert not np.any(before["betas"])
    np.testing.assert_allclose(before["offsets"][0], BODY.joints_template[0], atol=1e-5)
    solved = solved_at(0.7, 0, (person_at(0.7, scale=scale),))
    person = check(wire.pose(solved, fps=30))["people"][0]
    after = check(wire.skeleton())
    np.testing.assert_allclose(after["betas"], BETAS, atol=1e-5)
    for skeleton in (before, after):
        np.testing.assert_allclose(received_joints(skeleton, person), solved.people[0].pose.joints, atol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "where", ["rotations", "trans", "betas", "confidence", "scale", "joint_confidence", "contacts"]
)
def test_nobody_with_a_number_that_is_not_finite_is_published(bad: float, where: str) -> None:
    sick, well = person_at(0.1, id=1), person_at(0.2, id=2)
    if where in ("confidence", "scale"):
        sick = replace(sick, **{where: bad})
    elif where in ("betas", "joint_confidence", "contacts"):
        array = np.array(getattr(sick, where))
        array[3] = bad
        sick = replace(sick, **{where: array})
    else:
        array = np.array(getattr(sick.pose, where))
        array.flat[1] = bad
        sick = replace(sick, pose=replace(sick.pose, **{where: array}))
    message = Wire(BODY).pose(solved_at(0, 0, people=(sick, well)), fps=30)
    assert [person["id"] for person in check(message)["people"]] == [2]
    assert b"NaN" not in message
    assert b"Infinity" not in message


def test_quaternions_keep_their_sign_over_time_each_person_by_themselves() -> None:
    wire = Wire(BODY)
    rng = np.random.default_rng(0)
    last: dict[int, np.ndarray] = {}
    for k in range(50):
        flips = rng.choice([-1.0, 1.0], size=(2, 24, 1))  # q and -q are one rotation
        people = [person_at(k / 30 + 0.4 * i, id=i) for i in (0, 1)]
        sent = [with_rotations(p, p.pose.rotations * flip) for p, flip in zip(people, flips, strict=True)]
        fields = check(wire.pose(solved_at(k / 30, k, people=tuple(sent)), fps=30))
        for person, given in zip(fields["people"], people, strict=True):
            now = np.array(person["rotations"])
            assert (np.abs((now * given.pose.rotations).sum(-1)) > 1 - 1e-5).all()  # the rotation is the one given
            if person["id"] in last:
                assert ((now * last[person["id"]]).sum(-1) > 0).all()
            last[person["id"]] = now


def test_times_are_unix_times_that_keep_their_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    wire = Wire(BODY)
    monkeypatch.setattr(time, "monotonic", lambda: 1002.5)  # solved_at's frames are grabbed at 1000 + t
    fields = check(wire.pose(solved_at(2.25, 7), fps=30.128))
    assert (fields["seq"], fields["t_capture"], fields["t_publish"]) == (7, 1_700_000_002.25, 1_700_000_002.5)
    assert fields["fps"] == 30.13


def test_frame_times_of_a_file_count_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    wire = Wire(BODY, offline=True)
    solved = solved_at(0, 0)
    fields = check(wire.pose(replace(solved, frame=replace(solved.frame, t_capture=0.5)), fps=30))
    assert fields["t_capture"] == 1_700_000_000.5
