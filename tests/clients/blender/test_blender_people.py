"""An armature a person in real Blender, kept by id, from the program's own publisher; see `test_blender_in_bpy`."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clients.blender import build
from engine.cache import cache_folder
from realtime.kernel.messages import Person
from tests.clients.blender.blender_performance import Performance, Publisher, open_body, person_at

PYTHONS = [python for python in os.environ.get("TOKENMOCAP_BPY_PYTHON", "").split(os.pathsep) if python]
SECONDS = 4.0
Z_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
IDS, PLACES_M = (4, 2), {4: 0.0, 2: 2.0}  # as people_in_blender.py makes armatures, and how far to the left each is
pytestmark = pytest.mark.skipif(not PYTHONS, reason="TOKENMOCAP_BPY_PYTHON names no Python that has bpy")


def _at(t: float, person_id: int) -> Person:
    person = person_at(t, person_id)
    trans = person.pose.trans + np.array([PLACES_M[person_id], 0, 0], np.float32)
    return replace(person, pose=replace(person.pose, trans=trans))


def _people_at(t: float) -> tuple[Person, ...]:
    """Two whose order in the message changes each half second; the second is away every other second."""
    ids = [4] if t % 2 > 1.5 else [4, 2] if int(2 * t) % 2 else [2, 4]
    return tuple(_at(t, person_id) for person_id in ids)


def _shown(times: np.ndarray, sent_t: np.ndarray, sent: np.ndarray) -> np.ndarray:
    """Positions (N, 3) at these times: between two that were sent, but held while the person was away."""
    last = np.clip(np.searchsorted(sent_t, times, side="right") - 1, 0, len(sent_t) - 2)
    span = sent_t[last + 1] - sent_t[last]
    fraction = np.where(span < 0.3, np.clip((times - sent_t[last]) / span, 0, 1), 0.0)
    return sent[last] + fraction[:, None] * (sent[last + 1] - sent[last])


@pytest.mark.parametrize("python", PYTHONS, ids=lambda python: Path(python).parents[1].name)
def test_each_armature_follows_its_person_whatever_their_order(python: str, tmp_path: Path) -> None:
    wheels = cache_folder() / "blender-wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    build.fetch_wheels(wheels)
    build.build(tmp_path / "extension.zip", wheels)
    with Publisher(Performance(open_body(), _people_at)) as publisher:
        script, out = Path(__file__).with_name("people_in_blender.py"), tmp_path / "seen.npz"
        arguments = [script, tmp_path / "extension.zip", publisher.address, out, SECONDS]
        done = subprocess.run(
            [python, *map(str, arguments)],
            env=os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with np.load(out) as seen:
        times, pelvises, played = seen["times"], seen["pelvises"], seen["played"]
        assert len(set(seen["actions"].tolist())) == 2  # a take each
    for k, person_id in enumerate(IDS):
        sent = [
            (t, person.pose.trans) for t, solved in publisher.sent for person in solved.people if person.id == person_id
        ]
        t, trans = np.array([t for t, _ in sent]), np.array([trans for _, trans in sent])
        followed = times[:, k] > 0  # no time is known of who was away when the armatures were read again
        expected = _shown(times[followed, k], t, trans) @ Z_UP.T
        assert np.linalg.norm(pelvises[followed, k] - expected, axis=-1).max() < 0.002
        assert len(np.unique(times[followed, k])) > 5 * SECONDS
        assert np.abs(played[:, k, 0] - PLACES_M[person_id]).max() < 1.0
