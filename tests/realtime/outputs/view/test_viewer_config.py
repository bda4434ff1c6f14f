"""Tests of the viewer's settings."""

from __future__ import annotations

import pytest

from realtime.outputs.view.config import ViewerConfig


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="too small"):
        ViewerConfig(width=10)
    with pytest.raises(ValueError, match="fps"):
        ViewerConfig(fps=0)
