"""Settings that hold for every test."""

from __future__ import annotations

import hypothesis

# No deadline: a busy machine must not turn a test red. The same examples in every run, so that red is red again.
hypothesis.settings.register_profile("project", deadline=None, derandomize=True)
hypothesis.settings.load_profile("project")
