"""Runs `python -m realtime.assets`."""

import sys
from typing import Annotated

from cyclopts import Parameter

from engine.flags import command_line
from realtime.assets.cache import fetch
from realtime.assets.pinned import ASSETS, OTHER_POSES


@command_line("realtime.assets")
def main(
    *,
    all_qualities: Annotated[
        bool, Parameter("--all-qualities", help="the networks of --quality fast and best too; needs npm")
    ] = False,
) -> int:
    """Fetch every file that the program's defaults need, and print its path."""
    for asset in (*ASSETS, *(OTHER_POSES if all_qualities else ())):
        print(fetch(asset, ASSETS if asset in ASSETS else ()), f"({asset.licence})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
