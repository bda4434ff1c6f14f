"""Builds an engine from the released files, and checks it where this machine can run it.

python -m engine.build --checkpoint F --tokenizer F --backend tensorrt-rtx --precision fp16 --out DIR
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from engine.engines.backends import BACKENDS
from engine.engines.backends.base import BuildRequest
from engine.engines.build import build
from engine.flags import command_line
from engine.tokenhmr.precision import PRECISIONS


@command_line("engine.build")
def main(
    *,
    checkpoint: Annotated[Path, Parameter(metavar="FILE", help="tokenhmr_model_latest.ckpt")],
    tokenizer: Annotated[Path, Parameter(metavar="FILE", help="tokenizer.pth")],
    backend: Annotated[str, Parameter(choices=BACKENDS)],
    precision: Annotated[str, Parameter(choices=PRECISIONS)],
    out: Annotated[Path, Parameter(metavar="DIR", help="the engine's folder")],
    batch: Annotated[int, Parameter(metavar="N", help="people in one call, at most")] = 4,
    targets: Annotated[str, Parameter(metavar="SM86,SM89", help="GPU architectures (tensorrt-rtx)")] = "",
) -> int:
    """Build a TokenHMR engine."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    architectures = tuple(target.strip().upper() for target in targets.split(",") if target.strip())
    found = build(checkpoint, tokenizer, backend, out, BuildRequest(precision, batch, architectures))
    if found is None:
        print(f"{out}: built, not checked: no GPU here; it is compared with torch the first time it meets one")
    else:
        print(f"{out}: {found.in_words()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
