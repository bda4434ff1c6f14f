"""Settings that hold for every test, and the body that ships."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import hypothesis
import pytest

from engine.body.files import load_body
from engine.body.model import BodyModel

# No deadline: a busy machine must not turn a test red. The same examples in every run, so that red is red again.
hypothesis.settings.register_profile("project", deadline=None, derandomize=True)
hypothesis.settings.load_profile("project")

# No camera that somebody calibrated here changes a run. Nothing is there until a test keeps something.
os.environ["TOKENMOCAP_DATA"] = str(Path(tempfile.gettempdir()) / f"tokenmocap-tests-{os.getpid()}")


@pytest.fixture(scope="session")
def open_body() -> BodyModel:
    return load_body("open")
