"""Keeps pinned files in the cache: fetched once, checked at every use."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine.files.whole_file import whole_file
from realtime.assets.asset import Asset
from realtime.assets.package import AssetError
from realtime.assets.pinned import USES

logger = logging.getLogger(__name__)


def fetch(asset: Asset, group: Sequence[Asset] = ()) -> Path:
    """Return the asset's file in the cache, after downloading a missing or damaged one.

    group: other assets to take out of the same package if it must be downloaded; by default those of the same use.
    The file is hashed on every call (10 ms for the largest default), so a damaged cache is never used.

    Raises:
        AssetError: the package could not be fetched, the file in it is not the pinned one, or the cache is unwritable.
    """
    path = asset.path
    try:
        if path.is_file():
            if _sha256(path.read_bytes()) == asset.sha256:
                return path
            logger.warning("%s is damaged: fetching it again", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        group = group or next((use for use in USES if asset in use), ())
        siblings = [each for each in group if each.origin == asset.origin and each != asset]
        with tempfile.TemporaryDirectory(prefix="tokenmocap-", ignore_cleanup_errors=True) as folder:
            archive = asset.origin.download(Path(folder))
            for each in (asset, *siblings):
                _extract(each, archive)
    except OSError as error:
        raise AssetError(
            f"cannot keep {asset.name} in {path.parent}: {error.strerror or error}; "
            "free some space or set TOKENMOCAP_CACHE to a folder that can be written to"
        ) from error
    return path


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _extract(asset: Asset, archive: Path) -> None:
    """Extract the asset from its package into the cache: verified first, then moved atomically."""
    data = asset.origin.read(archive, asset.member)
    if (found := _sha256(data)) != asset.sha256:
        raise AssetError(
            f"{asset.member} in {archive.name} is not the pinned file "
            f"(sha256 {found[:12]}..., expected {asset.sha256[:12]}...); {asset.origin.other_registry}"
        )
    with whole_file(asset.path) as file:
        file.write(data)
