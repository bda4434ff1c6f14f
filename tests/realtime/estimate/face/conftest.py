"""The face networks, and NASA's portrait of a woman who smiles."""

from __future__ import annotations

from tests.realtime.perception.parts.conftest import astronaut, faces

__all__ = ["astronaut", "faces"]
