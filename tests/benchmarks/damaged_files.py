"""Feeds thousands of damaged files of every input kind to the program and counts the outcomes.

    python -m tests.benchmarks.damaged_files [--count 10000] [--seed 0] [--kinds body.pkl session ...]

A seeded generator damages valid files: bytes flipped, cut or doubled, numbers set to extremes, values of another type.
The readers of the commands read each file in its own process. Outcomes are counted for each kind. Read: the damage has
no effect. One line: a UserError. Traceback. Hang: over five seconds of CPU time. Crash: a signal. Memory: more than
twice the file and 64 MB above the start. No file leaves the machine.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import random
import resource
import shutil
import signal
import struct
import tempfile
import time
import traceback
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import torch

import engine
import engine.tokens.tokenizer
from engine.body.files import load_body
from engine.engines.backends.base import BuildRequest
from engine.engines.build import build
from engine.engines.runtime import load_engine
from engine.errors import UserError
from engine.tokenhmr.random_weights import write as write_checkpoint
from realtime.outputs.export import export
from realtime.outputs.recording.assemble import finish
from realtime.outputs.recording.journal import JournalWriter
from realtime.outputs.recording.journal_reader import read_journal
from realtime.outputs.recording.session import load_session, open_session
from realtime.run.command import parse
from tests.realtime.outputs.export.recording import record
from tests.realtime.outputs.recording.test_journal import HEADER, some_rows
from tests.small_tokenhmr import SMALL

LIMIT_S = 5
SLACK_BYTES = 64 << 20
OUTCOMES = ("read", "one line", "more lines", "traceback", "hang", "crash", "memory")
_ROOT = Path(__file__).parents[2]
_SMPL_KEYS = ("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")
_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Change = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Kind:
    """File kind: valid files, a function that damages them, and one that reads them."""

    samples: tuple[Path, ...]
    change: Change
    read: Callable[[Path], object]
    share: int  # of the count, relative to the others


def scribble(data: bytes, rng: random.Random) -> bytes:
    """Damage a few places of any file, more of them at its ends, where most formats keep their numbers."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        place = rng.choice((rng.random(), rng.random() ** 6, 1 - rng.random() ** 6))
        at = min(len(damaged) - 1, int(len(damaged) * place))
        match rng.randrange(7):
            case 0:
                damaged[at] ^= 1 << rng.randrange(8)
            case 1:
                damaged[at] = rng.randrange(256)
            case 2:
                size = rng.choice((1, 2, 4, 8))
                damaged[at : at + size] = (rng.choice(_EXTREMES) & (256**size - 1)).to_bytes(size, "little")
            case 3:
                del damaged[at : at + rng.choice((1, 4, 100, 10_000))]
            case 4:
                damaged[at:at] = damaged[at : at + rng.choice((1, 4, 100, 10_000))]
            case 5:
                damaged[at:at] = rng.randbytes(rng.choice((1, 4, 16)))
            case _:
                damaged[at + 1 :] = b"" if rng.random() < 0.3 else damaged[at + 1 :]
        if not damaged:
            return b""
    return bytes(damaged)


def scribble_in_zip(data: bytes, rng: random.Random) -> bytes:
    """Damage the members of an archive and correct their checksums, or damage the archive itself."""
    if rng.random() < 0.4:
        return scribble(data, rng)
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as archive,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        infos = archive.infolist()
        small = [info for info in infos if info.file_size < 4000]
        hit = rng.choice(small if small and rng.random() < 0.5 else infos)
        for info in infos:
            member = archive.read(info)
            if info is hit:
                head = member[:128] if rng.random() < 0.7 else member
                member = scribble(head, rng) + member[len(head) :]
            kept = zipfile.ZipInfo(info.filename, info.date_time)
            kept.compress_type = info.compress_type
            if info is not hit or rng.random() < 0.8:
                new.writestr(kept, member)
    return out.getvalue()


_ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, float("nan"), 10**30, "", "x", "\0", "a\nb", [], {}, [[]], {"x": 1}, "9" * 5000,
    [1] * 1000,
)  # fmt: skip


def exchange_values(content: Any, rng: random.Random) -> Any:
    """Replace a value somewhere in nested keys and lists, or add or remove a key."""
    if isinstance(content, dict) and content and rng.random() < 0.9:
        key = rng.choice(list(content))
        if rng.random() < 0.1:
            return {k: v for k, v in content.items() if k != key} | rng.choice(({}, {"surprise": 1}))
        return content | {key: exchange_values(content[key], rng)}
    if isinstance(content, list) and content and rng.random() < 0.7:
        at = rng.randrange(len(content))
        return [*content[:at], exchange_values(content[at], rng), *content[at + 1 :]]
    return rng.choice(_ODD)


def exchange_in_json(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return scribble(data, rng)
    return json.dumps(exchange_values(json.loads(data), rng)).encode()


def damage_journal(data: bytes, rng: random.Random) -> bytes:
    """Damage as `scribble`, or replace a value in a header and correct its checksum."""
    if rng.random() < 0.4:
        return scribble(data, rng)
    (length,) = struct.unpack_from("<I", data, 8)
    text = exchange_in_json(data[16 : 16 + length], rng)
    return data[:8] + struct.pack("<II", len(text), zlib.crc32(text)) + text + data[16 + length :]


def damage_yaml(data: bytes, rng: random.Random) -> bytes:
    """Damage bytes, or replace a line's value by one of another type."""
    if rng.random() < 0.4:
        return scribble(data, rng)
    lines = data.decode().splitlines()
    at = rng.choice([k for k, line in enumerate(lines) if ":" in line])
    values = (
        "2026-13-45", "2026-11-28", "[", "{a: b}", "*x", "&x [*x]", "!!binary x", "!!python/name:os.system", "'", "\t",
        "1e999", ".nan", "0x", "1:30:00", "!!set {a}", "<<: 3", "[" * 500, "9" * 5000, "a: b: c",
    )  # fmt: skip
    lines[at] = f"{lines[at].split(':')[0]}: {rng.choice(values)}"
    return "\n".join(lines).encode(rng.choice(("utf-8", "utf-8", "utf-16", "latin-1")))


def kinds(folder: Path) -> dict[str, Kind]:
    """Make valid files in `folder`, with the functions that damage and read them."""
    session = record(folder / "take.npz", load_body("open"))
    journal = folder / "take.journal"
    writer = JournalWriter(journal)
    writer.begin(HEADER)
    writer.append(some_rows(40))
    writer.close()
    checkpoint, tokenizer = write_checkpoint(folder / "released", SMALL)
    old = folder / "old.ckpt"
    torch.save(torch.load(checkpoint, weights_only=True), old, _use_new_zipfile_serialization=False)
    compact = folder / "compact.safetensors"
    engine.tokens.tokenizer.save(compact, engine.tokens.tokenizer.load(), {})
    shutil.copy(_ROOT / "configs" / "live.yaml", folder)
    built = folder / "engine"
    build(checkpoint, tokenizer, "torch", built, BuildRequest("fp32"))

    def configured(path: Path) -> None:
        parse(["--demo", "--config", str(path)])

    def built_with(name: str) -> Callable[[Path], None]:
        return lambda path: _use_engine(built, path, name)

    manifest, note = built / "manifest.json", built / "parity.json"
    return {
        "body .pkl": Kind(_pickled_bodies(folder), scribble, load_body, 20),
        "body .npz": Kind((_body_npz(folder),), scribble_in_zip, load_body, 10),
        "session": Kind((session,), scribble_in_zip, _use_session, 20),
        "journal": Kind((journal,), damage_journal, _use_journal, 15),
        "checkpoint": Kind((checkpoint, old), scribble, lambda path: engine.load_tokenhmr(path, tokenizer), 20),
        "tokenizer": Kind((tokenizer, compact), scribble, engine.load_tokenizer, 10),
        "configuration": Kind((folder / "live.yaml",), damage_yaml, configured, 15),
        "manifest": Kind((manifest,), exchange_in_json, built_with("manifest.json"), 10),
        "parity note": Kind((note,), exchange_in_json, built_with("parity.json"), 5),
    }


def _pickled_bodies(folder: Path) -> tuple[Path, ...]:
    """Write the free body as SMPL pickles: two protocols, the regressor sparse in three ways."""
    with np.load(_ROOT / "assets" / "body_open.npz") as whole:
        arrays = {key: np.asarray(whole[key]) for key in _SMPL_KEYS}
    paths = []
    layouts = (scipy.sparse.csc_matrix, scipy.sparse.csr_matrix, scipy.sparse.coo_matrix)
    for number, (layout, protocol) in enumerate(zip(layouts, (2, 0, 4), strict=True)):
        paths.append(folder / f"body{number}.pkl")
        content = {**arrays, "J_regressor": layout(arrays["J_regressor"]), "bs_style": "lbs"}
        paths[-1].write_bytes(pickle.dumps(content, protocol))
    return tuple(paths)


def _body_npz(folder: Path) -> Path:
    return Path(shutil.copy(_ROOT / "assets" / "body_open.npz", folder / "body.npz"))


def _use_session(path: Path) -> None:
    load_session(path)
    for suffix in (".bvh", ".csv", ".npz", ".glb"):
        export(open_session(path), path.with_name(f"out{suffix}"))


def _use_journal(path: Path) -> None:
    read_journal(path)
    finish(path.with_name(path.name.removesuffix(".journal")))


def _use_engine(built: Path, path: Path, name: str) -> None:
    """Load the engine with one of its files replaced."""
    copy = path.parent / "engine"
    shutil.copytree(built, copy)
    shutil.copy(path, copy / name)
    load_engine(copy).close()


def outcome(kind: Kind, data: bytes, folder: Path, suffix: str, log: Path | None) -> str:
    """Read a damaged file in a forked child, which has all imports already."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = os.fork()
    if child == 0:
        _child(kind, data, folder, suffix, log)
    deadline = time.monotonic() + 60  # of wall time: the system enforces the limit of CPU time
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.wait4(child, 0)
            return "hang"
        time.sleep(0.002)
    if os.WIFSIGNALED(status):
        return "hang" if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL) else "crash"
    if (usage.ru_maxrss - before) * 1024 > 2 * len(data) + SLACK_BYTES:
        return "memory"
    return OUTCOMES[os.WEXITSTATUS(status)]


def _child(kind: Kind, data: bytes, folder: Path, suffix: str, log: Path | None) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    path = folder / f"damaged{suffix}"
    path.write_bytes(data)
    code = OUTCOMES.index("read")
    try:
        kind.read(path)
    except UserError as error:
        code = OUTCOMES.index("more lines" if "\n" in str(error) else "one line")
    except BaseException:  # noqa: BLE001  counted; the child has nobody above it
        code = OUTCOMES.index("traceback")
        if log is not None:
            with log.open("a") as file:
                file.write(traceback.format_exc() + "\n")
    os._exit(code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", help="only these")
    parser.add_argument("--log", type=Path, help="append tracebacks to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)  # threads do not survive a fork
    with tempfile.TemporaryDirectory() as name:
        made = kinds(Path(name))
        chosen = {key: kind for key, kind in made.items() if not options.kinds or key in options.kinds}
        shares = sum(kind.share for kind in chosen.values())
        print(f"{'':<15}{'files':>7}" + "".join(f"{what:>12}" for what in OUTCOMES))
        totals: Counter[str] = Counter()
        for number, (key, kind) in enumerate(chosen.items()):
            rng = random.Random(options.seed * 1000 + number)
            count = round(options.count * kind.share / shares)
            counts: Counter[str] = Counter()
            for _ in range(count):
                sample = rng.choice(kind.samples)
                data = kind.change(sample.read_bytes(), rng)
                with tempfile.TemporaryDirectory(dir=name) as folder:
                    counts[outcome(kind, data, Path(folder), sample.suffix, options.log)] += 1
            print(f"{key:<15}{count:7}" + "".join(f"{counts[what]:12}" for what in OUTCOMES), flush=True)
            totals += counts
    print(f"{'all':<15}{totals.total():7}" + "".join(f"{totals[what]:12}" for what in OUTCOMES))


if __name__ == "__main__":
    main()
