"""Checks that Rerun's package is installed. Only the modules that log import it."""

from __future__ import annotations

import importlib.metadata

from packaging.version import Version

from engine.errors import UserError

INSTALL = "pip install rerun-sdk"
OLDEST = Version("0.41")  # with which this was written; earlier ones have other names for things


def check_sdk(what: str) -> None:
    """Refuse to do `what` without the package. Raises UserError, one line with the pip command."""
    try:
        version = Version(importlib.metadata.version("rerun-sdk"))
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"{what} needs rerun-sdk: {INSTALL}") from error
    if version < OLDEST:
        raise UserError(f"{what} needs rerun-sdk {OLDEST} or later, not {version}: {INSTALL} --upgrade")
