"""Registry of image set forms by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from training.readers.bedlam import BedlamSet
from training.readers.coco import CocoSet
from training.readers.emdb import SPLITS as EMDB_SPLITS
from training.readers.emdb import EmdbSet
from training.readers.sample import ImageSet
from training.readers.tars import TarSet
from training.readers.threedpw import ThreeDpwSet

Form = Literal["tars", "bedlam", "threedpw", "emdb", "coco"]


def open_images(form: Form, folder: Path, split: str) -> ImageSet:
    """Open a data set in one of the forms. Raises EngineError.

    `split` selects files of threedpw (train, validation, test) and coco (train2017, val2017). For emdb it may be emdb1
    or emdb2, its two halves. With any other name, and for the other forms, everything is read.
    """
    match form:
        case "tars":
            return TarSet(folder)
        case "bedlam":
            return BedlamSet(folder)
        case "threedpw":
            return ThreeDpwSet(folder, split)
        case "emdb":
            return EmdbSet(folder, split if split in EMDB_SPLITS else None)
        case "coco":
            return CocoSet(folder, split)
