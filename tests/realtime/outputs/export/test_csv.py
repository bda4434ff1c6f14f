from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.body.skeleton import CONTACT_NAMES
from realtime.export import main
from realtime.outputs.export.joints_csv import csv_parts
from realtime.outputs.recording.session import Session
from tests.realtime.outputs.export.recording import FRAMES


def test_csv(path: Path, session: Session, tmp_path: Path) -> None:
    out = tmp_path / "s.csv"
    assert main([str(path), str(out)]) == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == FRAMES
    for name, index in (("pelvis", 0), ("left_hand", 22)):
        read = np.array([[float(row[f"{name}_{axis}"]) for axis in "xyz"] for row in rows])
        np.testing.assert_allclose(read, session.joints[:, index], atol=1e-6)
    np.testing.assert_allclose([float(row["time_s"]) for row in rows], np.arange(FRAMES) / 60, atol=1e-6)
    assert {row["valid"] for row in rows} == {"1"}
    told = [[float(row[f"{name}_contact"]) for name in CONTACT_NAMES] for row in rows]
    np.testing.assert_allclose(told, session.contacts, atol=6e-4)


def test_a_session_without_contacts_has_no_columns_of_them(session: Session) -> None:
    header, *_ = csv_parts(replace(session, contacts=None))
    assert "contact" not in header
