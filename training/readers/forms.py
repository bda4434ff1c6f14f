"""The forms of image sets by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from training.readers.bedlam import BedlamSet
from training.readers.coco import CocoSet
from training.readers.emdb import EmdbSet
from training.readers.sample import ImageSet
from training.readers.tars import TarSet
from training.readers.threedpw import ThreeDpwSet

Form = Literal["tars", "bedlam", "threedpw", "emdb", "coco"]


def open_images(form: Form, folder: Path, split: str) -> ImageSet:
    """A set in one of the forms. `split` means something to threedpw and coco. Raises EngineError."""
    match form:
        case "tars":
            return TarSet(folder)
        case "bedlam":
            return BedlamSet(folder)
        case "threedpw":
            return ThreeDpwSet(folder, split)
        case "emdb":
            return EmdbSet(folder)
        case "coco":
            return CocoSet(folder, split)
