"""Cache folder of the program: downloaded files, and networks as they were compiled for this machine."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Return the cache folder: `TOKENMOCAP_CACHE` if set, otherwise the platform's."""
    return Path(os.environ.get("TOKENMOCAP_CACHE") or platformdirs.user_cache_dir("tokenmocap", appauthor=False))
