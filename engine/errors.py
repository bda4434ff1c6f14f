"""The base of what a user can mend in weights, exports and engines."""

from __future__ import annotations


class EngineError(ValueError):
    """Bad input to the engine; the message is one line that says what happened and the mend."""
