"""The reader of pickles on sound ones, on damage and on names that it has no need of."""

from __future__ import annotations

import collections
import contextlib
import io
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.smpl_pickle import dense, load_pickle
from engine.files.unpickle import AllowListUnpickler, UnpickleError, read

ARRAYS = [
    np.arange(6, dtype="<f8").reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
    np.zeros((0, 3), np.float32),
    np.array(3.5, np.float16),
    np.array([True, False]),
    np.array(["a", "bcd"]),
    np.array([None, [1, 2]], dtype=object),
    np.float32(1.5),
]


def load(data: bytes) -> Any:
    return read(AllowListUnpickler, io.BytesIO(data), encoding="latin1")


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_and_containers_come_back(protocol: int) -> None:
    content = {
        "arrays": ARRAYS,
        "ordered": collections.OrderedDict(b=1, a={2, "x"}),
        ("t", 1): (None, b"\xff", "é", 2**70),
    }
    loaded = load(pickle.dumps(content, protocol))
    assert loaded.keys() == content.keys()
    assert loaded["ordered"] == content["ordered"]
    assert loaded["t", 1] == content["t", 1]
    for ours, given_array in zip(loaded["arrays"], ARRAYS, strict=True):
        assert ours.dtype == given_array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(ours, given_array)


def test_an_array_may_be_pickled_again() -> None:
    loaded = load(pickle.dumps(ARRAYS[1], 2))
    again = pickle.loads(pickle.dumps(loaded))
    assert type(again) is np.ndarray
    np.testing.assert_array_equal(again, ARRAYS[1])


@given(position=st.integers(0, 10**9), value=st.integers(0, 255), cut=st.integers(0, 10**9) | st.none())
def test_damage_gives_an_object_or_one_line(position: int, value: int, cut: int | None) -> None:
    data = bytearray(pickle.dumps({"a": ARRAYS[0], "b": [1.5, "text"], "c": {1, 2}}, 2))
    data[position % len(data)] = value
    with contextlib.suppress(UnpickleError):
        load(bytes(data if cut is None else data[: cut % len(data)]))


def test_a_memo_of_any_number_costs_no_memory() -> None:
    """C's unpickler makes room for all numbers below."""
    data = b"\x80\x02U\x01ar" + (1 << 20).to_bytes(4, "little") + b"."
    tracemalloc.start()
    assert load(data) == "a"
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (pickle.dumps(np.array(["2026-11-28"], "M8[D]")), "no plain type"),
        (pickle.dumps(np.zeros(2, [("a", "f4")])), "no plain type"),
        (pickle.dumps(np.zeros(3), 2).replace(b"K\x03\x85", b"K\x02\x85"), "does not fit"),
        (b"\x80\x02cnumpy\nndarray\nK\x09\x85R.", "unusual way"),
        (b"\x80\x02ccollections\nOrderedDict\nU\x01a\x85\x81.", "unusual way"),
        (b"\x80\x02c_codecs\nencode\n}U\x01aK\x01sb.", "a state is given to what has none"),
        (b"\x80\x02}](K\x01K\x02ee.", "not a readable pickle"),
        (pickle.dumps({((1, 2), 3): 4}), "neither a number nor a text"),
        (pickle.dumps({frozenset([(1, (2, 3))])}, 4), "neither a number nor a text"),
        (pickle.dumps("a" * 1000)[:-500], "ends too early"),
        (b"\x80\x04\x96" + (1 << 40).to_bytes(8, "little") + b"abc", "ends too early"),
    ],
)
def test_what_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(UnpickleError, match=says):
        load(data)


def test_a_sound_file_is_no_endless_list_of_objects() -> None:
    with pytest.raises(UnpickleError, match="more objects"):
        load(b"\x80\x02" + b"N0" * 3_000_000 + b".")


def test_only_arrays_of_numbers_are_arrays() -> None:
    for value in ([1.0, 2.0], np.array(["a"]), np.array([None]), {}, None):
        with pytest.raises(UnpickleError, match="no array of numbers"):
            dense(load_pickle(pickle.dumps(value)))
