"""Figures of the TokenHMR paper (CVPR 2024) as data, to print beside our own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """One table: each row has one text a label and one number a column, None if the paper has none."""

    title: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[float | None, ...]], ...]


TABLE_1 = Table(
    "TokenHMR, Table 1: EMDB and 3DPW, mm",
    ("training sets", "method"),
    ("EMDB MVE", "EMDB MPJPE", "EMDB PA-MPJPE", "3DPW MVE", "3DPW MPJPE", "3DPW PA-MPJPE"),
    (
        (("SD", "HybrIK"), (122.2, 103.0, 65.6, 94.5, 80.0, 48.8)),
        (("SD", "CLIFF"), (122.9, 103.1, 68.8, 81.2, 69.0, 43.0)),
        (("SD", "HMR2.0"), (120.1, 97.8, 61.5, 84.1, 70.0, 44.5)),
        (("BL", "BEDLAM-CLIFF"), (113.2, 97.1, 61.3, 85.0, 72.0, 46.6)),
        (("BL", "HMR2.0"), (106.6, 90.7, 51.3, 88.4, 72.2, 45.1)),
        (("BL", "TokenHMR"), (104.2, 88.1, 49.8, 86.0, 70.5, 43.8)),
        (("SD + ITW", "HMR2.0"), (140.6, 118.5, 79.3, 94.4, 81.3, 54.3)),
        (("SD + ITW", "TokenHMR"), (124.4, 102.4, 67.5, 88.1, 76.2, 49.3)),
        (("SD + ITW + BL", "HMR2.0"), (120.7, 99.3, 62.8, 88.4, 77.4, 47.4)),
        (("SD + ITW + BL", "HMR2.0 + TALS"), (115.7, 96.7, 58.5, 89.6, 73.5, 46.8)),
        (("SD + ITW + BL", "HMR2.0 + Token"), (116.1, 95.6, 62.2, 86.6, 75.0, 48.0)),
        (("SD + ITW + BL", "HMR2.0 + TALS + VPoser"), (116.8, 97.9, 56.4, 87.1, 73.7, 45.7)),
        (("SD + ITW + BL", "TokenHMR"), (109.4, 91.7, 55.6, 84.6, 71.0, 44.3)),
    ),
)

CHANGE = "change"  # column of the previous column's difference from uncropped images

TABLE_2 = Table(
    "TokenHMR, Table 2: EMDB with 30 % and 50 % cut from the borders, mm (change)",
    ("method",),
    tuple(
        name
        for crop in ("30 %", "50 %")
        for measure in ("MVE", "MPJPE", "PA-MPJPE")
        for name in (f"{crop} {measure}", CHANGE)
    ),
    (
        (
            ("HMR2.0",),
            (135.24, 14.98, 113.39, 14.13, 70.68, 7.86, 166.71, 46.45, 137.88, 38.59, 90.30, 27.48),
        ),
        (
            ("TokenHMR",),
            (124.09, 14.71, 104.72, 13.01, 62.13, 6.52, 150.29, 40.91, 125.99, 34.28, 78.88, 23.27),
        ),
    ),
)

TABLE_3 = Table(
    "TokenHMR, Table 3: the tokenizer, mm (known: AMASS test, unseen: MOYO validation)",
    ("varied", "value"),
    ("known MVE", "known MPJPE", "unseen MVE", "unseen MPJPE"),
    (
        (("codebook", "1024 x 256"), (11.5, 4.6, 27.1, 15.7)),
        (("codebook", "2048 x 128"), (9.4, 3.1, 22.5, 12.3)),
        (("codebook", "2048 x 256"), (8.3, 2.2, 19.9, 10.4)),
        (("tokens", "80"), (12.5, 4.1, 24.4, 16.7)),
        (("tokens", "160"), (8.3, 2.2, 19.9, 10.4)),
        (("tokens", "320"), (8.1, 1.9, 19.0, 10.1)),
        (("noise", "yes"), (8.3, 2.2, 19.9, 10.4)),
        (("noise", "no"), (7.9, 1.9, 21.0, 11.5)),
        (("AMASS + MOYO", ""), (8.7, 2.6, 16.5, 7.6)),
    ),
)
