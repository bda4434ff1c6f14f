"""Writes the summary page of an archive: the worst videos first, each with a thumbnail of the bodies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from engine.files.whole_file import whole_file
from realtime.archive.results.record import FAILURES, LOG, THUMBNAIL, VIDEOS, Record

NAME = "index.html"
_FEW, _MANY = 0.5, 0.8  # bounds of the marks 'bad' and 'fair'

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1100px; padding: 24px;
  background: #14171c; color: #dfe4ea }}
h1 {{ font-size: 22px; margin: 0 0 4px }}
p {{ margin: 4px 0 }}
a {{ color: inherit }}
article {{ display: flex; gap: 18px; padding: 14px 0; border-top: 1px solid #2b313a }}
article img, .none {{ width: 360px; height: 120px; border-radius: 4px; background: #20252c; flex: none }}
article > div:last-child {{ min-width: 0 }}
.none {{ display: grid; place-items: center; color: #77808c }}
h2 {{ font-size: 16px; margin: 0 0 4px; overflow-wrap: anywhere }}
.figures {{ display: flex; flex-wrap: wrap; gap: 0 16px }}
.quiet {{ color: #949daa }}
.bad {{ color: #f4796f }} .fair {{ color: #f4ba50 }} .good {{ color: #7bd389 }}
@media (max-width: 720px) {{ article {{ display: block }} article img {{ width: 100%; height: auto }} }}
</style></head><body>
"""


def write_page(out: Path, records: Sequence[Record], unreadable: Mapping[str, str], total: int) -> None:
    """Write OUT/index.html. Raises OSError.

    unreadable: folders that could not be searched, with the reasons. total: number of videos in the input.
    """
    done = [record for record in records if record.status == "done"]
    failed = len(records) - len(done)
    hours = sum(record.seconds for record in done) / 3600
    people = sum(record.people for record in done)
    title = escape(f"Archive {out.resolve().name}")
    summary = f"{len(done)} of {total} videos solved, {hours:.2f} hours, {people} people"
    summary += f", <span class=bad>{failed} failed</span>" if failed else ""
    parts = [_HEAD.format(title=title), f"<h1>{title}</h1><p>{summary}. The worst come first.</p>\n"]
    for folder, why in unreadable.items():
        parts.append(f"<p class=bad>{escape(folder)} could not be searched: {escape(why)}</p>\n")
    parts += [_article(record) for record in sorted(records, key=lambda record: (record.quality, record.id))]
    with whole_file(out / NAME) as file:
        file.write("".join([*parts, "</body></html>\n"]).encode())


def _article(record: Record) -> str:
    failed = record.status == "failed"
    folder = quote(f"{FAILURES if failed else VIDEOS}/{record.id}")
    if failed or not record.frames:
        picture = "<div class=none>no picture</div>"
    else:
        picture = f'<img loading=lazy src="{folder}/{THUMBNAIL}" alt="">'
    lines = [f"<h2>{escape(record.id)}</h2>"]
    if failed:
        lines.append(f"<p class=bad>{escape(record.error)}</p>")
    else:
        lines.append(f"<p class=figures>{''.join(_figures(record))}</p>")
    lines += [f"<p class=fair>{escape(warning)}</p>" for warning in record.warnings]
    told = " &middot; ".join(f"{escape(name)}: {escape(value)}" for name, value in record.columns.items())
    lines.append(f'<p class=quiet><a href="{folder}/">files</a> <a href="{folder}/{LOG}">log</a> {told}</p>')
    return f"<article>{picture}<div>{''.join(lines)}</div></article>\n"


def _figures(record: Record) -> Iterator[str]:
    """Yield the measures of a solved video."""
    for name, value in (
        ("coverage", record.coverage),
        ("confidence", record.confidence),
        ("feet that stand", record.contact_quality),
    ):
        if value is not None:
            mark = "bad" if value < _FEW else "fair" if value < _MANY else "good"
            yield f"<span>{name} <b class={mark}>{value:.0%}</b></span>"
    yield f"<span>{record.people} {'person' if record.people == 1 else 'people'}</span>"
    yield f"<span>{record.seconds:.1f} s at {record.fps or 0:.4g} fps</span>"
    if (camera := record.camera) is not None:
        yield (
            f"<span class=quiet>camera {camera.fov_deg:.0f}° wide, {camera.pitch_deg:+.0f}° down "
            f"({escape(camera.source)} ±{camera.doubt_deg:.1f}°)</span>"
        )
