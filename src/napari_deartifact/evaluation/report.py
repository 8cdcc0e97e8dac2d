"""An evaluation as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from napari_deartifact.evaluation.evaluate import Evaluation, Quality, Record, Scores

_DIGITS = {"psnr": 3, "psnr_b": 3, "ssim": 4}


def format_table(evaluation: Evaluation) -> str:
    """Lay out the means, a line a quality.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    str
        PSNR and PSNR-B in dB, each for the JPEG and for the restored picture, and the gain in
        PSNR on the picture that gained least.
    """
    header = "quality     PSNR in → out  gain   worst     PSNR-B in → out   gain    SSIM in → out     s/MP"
    lines = [_title(evaluation), header]
    for quality in evaluation.qualities:
        before, after, seconds = evaluation.mean(quality)
        worst = min(_gain(record.degraded.psnr, record.restored.psnr) for record in evaluation.at(quality))
        gain, gain_b = _gain(before.psnr, after.psnr), _gain(before.psnr_b, after.psnr_b)
        lines.append(
            f"{quality!s:>7}  {before.psnr:6.2f} → {after.psnr:6.2f}  {gain:+5.2f}   {worst:+5.2f}"
            f"    {before.psnr_b:6.2f} → {after.psnr_b:6.2f}  {gain_b:+5.2f}"
            f"   {before.ssim:6.4f} → {after.ssim:6.4f}  {seconds:7.2f}"
        )
    return "\n".join(lines)


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
        JSON.  Infinite decibels (equal pictures) are ``null``.
    """
    header: dict[str, Any] = {"version": version, "command": command}
    header |= {key: value for key, value in asdict(evaluation).items() if key != "records"}
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
    extra = ", consistent" if evaluation.consistency else ""
    return f"{evaluation.model}: {count} picture{'s' * (count != 1)}, {color}, {told}{extra}"


def _gain(before: float, after: float) -> float:
    return 0.0 if before == after else after - before


def _mean_row(evaluation: Evaluation, quality: Quality) -> dict[str, Any]:
    before, after, seconds = evaluation.mean(quality)
    return _row(quality, before, after, seconds)


def _image_row(records: list[Record]) -> dict[str, Any]:
    first = records[0]
    measures = [
        _row(record.quality, record.degraded, record.restored, record.seconds_per_megapixel)
        for record in records
    ]
    return {"image": first.image, "height": first.height, "width": first.width, "measures": measures}


def _row(quality: Quality, before: Scores, after: Scores, seconds: float) -> dict[str, Any]:
    return {
        "quality": quality,
        "jpeg": _rounded(before),
        "restored": _rounded(after),
        "seconds_per_megapixel": round(seconds, 3),
    }


def _rounded(scores: Scores) -> dict[str, float | None]:
    return {
        name: round(value, _DIGITS[name]) if math.isfinite(value) else None
        for name, value in asdict(scores).items()
    }


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
