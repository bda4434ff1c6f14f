"""Names the error that a user can mend, for this package's modules."""

from __future__ import annotations

from engine.errors import UserError

__all__ = ["UserError"]
