"""Known answers of networks: they are those of the networks, and a part of a clip has those of the whole."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from realtime.kernel.messages import Frame, Sighting
from realtime.perception.blazepose import BlazePose
from realtime.perception.config import PerceptionConfig
from realtime.perception.looks import MOST_BYTES, KeptLooks, KnownLooks, Looks
from realtime.perception.people.renewal import Renewal
from realtime.perception.roi import Roi

FPS = 12
RENEWED = 6  # frame


def observed(
    clip: list[np.ndarray], first: int = 0, looks: Looks | None = None, *, every_s: float = RENEWED / FPS
) -> list[Sighting]:
    perception = BlazePose(PerceptionConfig(renew_every_s=every_s), looks=looks)
    return [perception.observe(Frame(image, i, i / FPS)) for i, image in enumerate(clip) if i >= first]


def same(one: Sighting, other: Sighting) -> bool:
    """To the bit."""
    a, b = (each.people[0].keypoints["body"] for each in (one, other))
    points = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("image_px", "world_m", "visibility"))
    return points and a.presence == b.presence and np.array_equal(one.people[0].box_xyxy, other.people[0].box_xyxy)


def test_what_came_before_a_renewal_changes_nothing_after_it(clip: list[np.ndarray]) -> None:
    whole, part = observed(clip), observed(clip, RENEWED)
    assert all(same(a, b) for a, b in zip(whole[RENEWED:], part, strict=True))
    never = observed(clip, every_s=60.0)
    assert not any(same(a, b) for a, b in zip(never[RENEWED:], part, strict=True))
    assert all(same(a, b) for a, b in zip(whole[:RENEWED], never, strict=False))


def test_people_are_renewed_in_the_first_frame_of_each_span_but_for_the_first() -> None:
    renewal = Renewal(2.0)
    times = [0.0, 1.0, 1.9996, 2.04, 3.0, 6.5, 7.0]  # the third is at 2.0, as files round
    assert [t for t in times if renewal.is_due(t)] == [1.9996, 6.5]
    assert not Renewal(2.0).is_due(4.0)


def test_a_run_with_the_looks_of_a_part_is_the_same_to_the_bit(clip: list[np.ndarray], tmp_path: Path) -> None:
    for number, first in enumerate((0, RENEWED)):
        with (tmp_path / f"{number}.looks").open("wb") as file:
            observed(clip[: first + RENEWED], first, KeptLooks(file))
    known = KnownLooks(tmp_path)
    assert all(same(a, b) for a, b in zip(observed(clip), observed(clip, looks=known), strict=True))
    assert known.asked - known.known == 1  # the old square of the frame in which the man is found anew


def answered(looks: Looks, pixels: np.ndarray, square: Roi, answer: bytes) -> bytes:
    return looks.answer(pixels, square, lambda: answer)


def test_an_answer_is_known_for_its_own_pixels_and_square_alone(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pixels, square = random.integers(0, 256, (8, 8, 3)).astype(np.uint8), Roi((4.0, 4.0), 8.0, 0.0)
    other = pixels.copy()
    other[7, 7, 2] ^= 1
    stream = io.BytesIO()
    kept = KeptLooks(stream)
    assert answered(kept, pixels, square, b"a") == b"a"
    assert answered(kept, other, square, b"") == b""
    (tmp_path / "b.looks").write_bytes(stream.getvalue())
    (tmp_path / "c.looks").write_bytes(b"")
    stream = io.BytesIO()
    long = bytes(MOST_BYTES)
    answered(KeptLooks(stream), pixels[:4], square, long)
    answered(KeptLooks(stream), pixels[:5], square, long + b"x")  # too long to be kept
    (tmp_path / "a.looks").write_bytes(stream.getvalue())
    known = KnownLooks(tmp_path)
    assert answered(known, pixels, square, b"new") == b"a"
    assert answered(known, other, square, b"new") == b""
    assert answered(known, pixels[:4], square, b"new") == long
    assert answered(known, pixels[:5], square, b"new") == b"new"
    assert answered(known, pixels, Roi((4.0, 4.0), 8.0, 0.1), b"new") == b"new"
    assert (known.asked, known.known) == (5, 3)


def test_a_folder_without_answers_knows_nothing(tmp_path: Path) -> None:
    pixels, square = np.zeros((2, 2, 3), np.uint8), Roi((1.0, 1.0), 2.0, 0.0)
    assert answered(KnownLooks(tmp_path), pixels, square, b"new") == b"new"


@pytest.mark.parametrize("every_s", [0.0, -1.0, float("nan")])
def test_a_span_without_length_is_refused(every_s: float) -> None:
    with pytest.raises(ValueError, match="renew_every_s must be above 0"):
        PerceptionConfig(renew_every_s=every_s)
