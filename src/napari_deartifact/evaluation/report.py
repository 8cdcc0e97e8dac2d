"""An evaluation as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from napari_deartifact.degradation import find_codec
from napari_deartifact.evaluation.condition import Quality, quality_label
from napari_deartifact.evaluation.records import Evaluation, Record
from napari_deartifact.evaluation.scores import Scores, gain

_DIGITS = {"psnr": 3, "psnr_b": 3, "ssim": 4}
_OTHER_DIGITS = 5
_COLUMN = 26
# What a measure is called where its key would be taken for something else: --perceptual is a dial.
_HEADINGS = {"ssim": "SSIM", "perceptual": "feature distance"}
_LESS_IS_BETTER = ("perceptual", "niqe")


def format_table(evaluation: Evaluation) -> str:
    """Lay out the means, a line a quality.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    str
        PSNR and PSNR-B in dB, each for the compressed and for the restored picture, the gain in
        PSNR on the picture that gained least, and its name; what else was measured, of the originals
        too where it needs none.  Below it stands of which of these less is better, and how many
        pictures a mean is of where a measure could not tell of all.  Further tables follow where an
        answer was compared with another one, or a codec had to meet a bitrate.
    """
    alone = evaluation.originals(evaluation.qualities[0])
    others = [f"{_heading(key)} in → out{' (original)' * (key in alone)}" for key in evaluation.measured_by]
    header = (
        "quality     PSNR in → out  gain   worst     PSNR-B in → out   gain    SSIM in → out  "
        f"{_columns(others)}   s/MP  worst image"
    )
    lines = [_title(evaluation), header]
    lines += [_line(evaluation, quality) for quality in evaluation.qualities]
    lines += _notes(evaluation)
    lines += _comparison(
        evaluation, f"{evaluation.passes} passes against one", lambda record: record.one_pass
    )
    lines += _comparison(evaluation, "shifted against aligned, same pixels", lambda record: record.aligned)
    return "\n".join([*lines, *_bitrates(evaluation)])


def to_json(evaluation: Evaluation, *, version: str, command: str) -> str:
    """Serialise: a header with the mean table, then one line an image.

    Parameters
    ----------
    evaluation : Evaluation
    version : str
        Of this package.
    command : str
        That made the evaluation.

    Returns
    -------
    str
        JSON.  Infinite decibels (equal pictures) are ``null``; two JPEGs are ``"10:30"``.
    """
    header: dict[str, Any] = {"version": version, "command": command}
    header |= {key: value for key, value in asdict(evaluation).items() if key != "records"}
    header["qualities"] = [_json_quality(quality) for quality in evaluation.qualities]
    header["mean"] = [_mean_row(evaluation, quality) for quality in evaluation.qualities]
    names = dict.fromkeys(record.image for record in evaluation.records)
    images = [_image_row([record for record in evaluation.records if record.image == name]) for name in names]
    lines = ",\n".join("  " + _dump(row) for row in images)
    return f'{_dump(header)[:-1]}, "images": [\n{lines}\n]}}\n'


def _title(evaluation: Evaluation) -> str:
    count = len({record.image for record in evaluation.records})
    luma = f"grey as it is, colour to {evaluation.luma}-range luma"
    color = f"RGB {evaluation.subsampling}" if evaluation.color else luma
    told = "no header" if not evaluation.jpeg_info else "header given"
    parts = [f"{evaluation.model}: {count} picture{'s' * (count != 1)}", color, told]
    if evaluation.consistency:
        parts.append("consistent")
    if evaluation.codec != "jpeg":
        parts.append(f"{find_codec(evaluation.codec).title} at the bitrate of JPEG")
    if evaluation.shift is not None:
        parts.append(f"shifted by {evaluation.shift[0]},{evaluation.shift[1]}")
    if evaluation.passes > 1:
        parts.append(f"{evaluation.passes} passes")
    if evaluation.defaults:
        parts.append("as used by default")
    return ", ".join([*parts, *evaluation.measured_by.values()])


def _line(evaluation: Evaluation, quality: Quality) -> str:
    before, after, seconds = evaluation.mean(quality)
    worst = evaluation.worst(quality)
    gain_b = gain(before.psnr_b, after.psnr_b)
    others = [f"{before.others[key]:.4f} → {after.others[key]:.4f}" for key in evaluation.measured_by]
    alone = evaluation.originals(quality)
    for place, key in enumerate(evaluation.measured_by):
        others[place] += f" ({alone[key]:.4f})" if key in alone else ""
    harm = f" at {worst.restored.psnr:.2f} dB" if math.isinf(worst.degraded.psnr) else ""
    return (
        f"{quality_label(quality):>7}  {before.psnr:6.2f} → {after.psnr:6.2f}"
        f"  {gain(before.psnr, after.psnr):+5.2f}   {worst.gain:+5.2f}"
        f"    {before.psnr_b:6.2f} → {after.psnr_b:6.2f}  {gain_b:+5.2f}"
        f"   {before.ssim:6.4f} → {after.ssim:6.4f}{_columns(others)}  {seconds:7.2f}  {worst.image}{harm}"
    )


def _heading(key: str) -> str:
    return _HEADINGS.get(key, key)


def _notes(evaluation: Evaluation) -> list[str]:
    """Say of which measures less is better, and which could not tell of all pictures."""
    less = [_heading(key) for key in _LESS_IS_BETTER if key in evaluation.measured_by]
    lines = [f"less is better: {', '.join(less)}"] if less else []
    for quality in evaluation.qualities:
        changed, count = len(evaluation.changed(quality)), len(evaluation.at(quality))
        if changed < count:
            lines.append(
                f"decibels at {quality_label(quality)}: {changed} of {count} pictures; compression did not "
                "change the others"
            )
    for key in ("ssim", *evaluation.measured_by):
        told = {quality: _measured(evaluation, quality, key) for quality in evaluation.qualities}
        if len(set(told.values())) == 1:
            lines += [f"{_heading(key)}: {text}" for text in set(told.values()) if text]
        else:
            lines += [f"{_heading(key)} at {quality_label(at)}: {text}" for at, text in told.items() if text]
    return lines


def _measured(evaluation: Evaluation, quality: Quality, key: str) -> str:
    """Say how many pictures a mean is of; nothing where it is of all."""
    records = evaluation.at(quality)
    count = sum(record.has(key) for record in records)
    if count == len(records):
        return ""
    if not count:
        return f"no mean; every picture ({len(records)}) is too small or too flat for it"
    return f"{count} of {len(records)} pictures; the others are too small or too flat for it"


def _columns(cells: Sequence[str]) -> str:
    return "".join(f"  {cell:>{_COLUMN}}" for cell in cells)


def _comparison(
    evaluation: Evaluation, title: str, reference: Callable[[Record], Scores | None]
) -> list[str]:
    """Compare the answers with others to the same pictures, where there are any."""
    lines = []
    for quality in evaluation.qualities:
        records = [record for record in evaluation.at(quality) if reference(record) is not None]
        if records:
            lines.append(_change(quality, records, reference))
    return ["", title, "quality       PSNR in dB      change    worst  worst image", *lines] if lines else []


def _change(quality: Quality, records: list[Record], reference: Callable[[Record], Scores | None]) -> str:
    pairs = [(reference(record), record.restored) for record in records]
    before, after = (Scores.mean([scores for scores in side if scores]) for side in zip(*pairs, strict=True))
    changes = [gain(one.psnr, other.psnr) for one, other in pairs if one]
    worst = min(range(len(changes)), key=changes.__getitem__)
    return (
        f"{quality_label(quality):>7}  {before.psnr:7.3f} → {after.psnr:7.3f}"
        f"  {gain(before.psnr, after.psnr):+7.3f}  {changes[worst]:+7.3f}  {records[worst].image}"
    )


def _bitrates(evaluation: Evaluation) -> list[str]:
    """Tell how well another codec met the bitrates of JPEG."""
    lines = []
    for quality in evaluation.qualities:
        sizes = [
            (record.jpeg_bits_per_pixel, record.bits_per_pixel)
            for record in evaluation.at(quality)
            if record.jpeg_bits_per_pixel and record.bits_per_pixel
        ]
        if sizes:
            before, after = (math.fsum(side) / len(side) for side in zip(*sizes, strict=True))
            farthest = max((own / jpeg - 1 for jpeg, own in sizes), key=abs)
            lines.append(
                f"{quality_label(quality):>7}  {before:7.3f} → {after:7.3f}           {farthest:+8.1%}"
            )
    codec = find_codec(evaluation.codec).title
    header = "quality     JPEG → own                  farthest"
    return ["", f"bits per pixel of JPEG and of {codec}", header, *lines] if lines else []


def _json_quality(quality: Quality) -> int | str:
    return quality_label(quality) if isinstance(quality, tuple) else quality


def _mean_row(evaluation: Evaluation, quality: Quality) -> dict[str, Any]:
    before, after, seconds = evaluation.mean(quality)
    worst = evaluation.worst(quality)
    row = _row(quality, before, after, seconds)
    for key in ("one_pass", "aligned"):
        scores = [scores for record in evaluation.at(quality) if (scores := getattr(record, key))]
        if scores:
            row[key] = _rounded(Scores.mean(scores))
    row |= _originals(evaluation.originals(quality))
    return row | {"worst": {"image": worst.image, "restored": _rounded(worst.restored)}}


def _image_row(records: list[Record]) -> dict[str, Any]:
    first = records[0]
    measures = [_measures(record) for record in records]
    return {"image": first.image, "height": first.height, "width": first.width, "measures": measures}


def _measures(record: Record) -> dict[str, Any]:
    row = _row(record.quality, record.degraded, record.restored, record.seconds_per_megapixel)
    for key in ("one_pass", "aligned"):
        if getattr(record, key) is not None:
            row[key] = _rounded(getattr(record, key))
    for key in ("bits_per_pixel", "jpeg_bits_per_pixel"):
        if getattr(record, key) is not None:
            row[key] = round(getattr(record, key), 4)
    return row | _originals(record.original)


def _row(quality: Quality, before: Scores, after: Scores, seconds: float) -> dict[str, Any]:
    return {
        "quality": _json_quality(quality),
        "jpeg": _rounded(before),
        "restored": _rounded(after),
        "seconds_per_megapixel": round(seconds, 3),
    }


def _rounded(scores: Scores) -> dict[str, float | None]:
    figures = {**{name: getattr(scores, name) for name in _DIGITS}, **scores.others}
    return {name: _number(value, _DIGITS.get(name, _OTHER_DIGITS)) for name, value in figures.items()}


def _originals(figures: Mapping[str, float]) -> dict[str, Any]:
    rounded = {key: _number(value, _OTHER_DIGITS) for key, value in figures.items()}
    return {"original": rounded} if rounded else {}


def _number(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
