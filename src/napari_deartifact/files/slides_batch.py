"""A slide as one file of a batch: restored in parts, and told of as the others are."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from napari_deartifact.files.entry import Entry, attempted
from napari_deartifact.files.plan import Job
from napari_deartifact.files.result import FileFacts, FileResult, Status
from napari_deartifact.files.slides import restore_slide
from napari_deartifact.files.slides_base import Slide
from napari_deartifact.files.slides_job import remove_spent_folder
from napari_deartifact.files.slides_open import open_slide
from napari_deartifact.files.stages import Stages

if TYPE_CHECKING:
    from napari_deartifact.models.restorer import Restorer


def restored_slide(
    job: Job, model: str | os.PathLike[str] | Restorer, stages: Stages, *, perceptual: float = 0.0
) -> FileResult:
    """Restore a slide, within :func:`~napari_deartifact.warned.sorted_warnings`.

    Parameters
    ----------
    job : Job
    model : str, path or Restorer
        A name or a path also tells whether the weights are those of the work that was begun.
    stages : Stages
        Of the batch; standard errors and references it has for other files only.
    perceptual : float
        As for :func:`~napari_deartifact.deartifact`.

    Returns
    -------
    FileResult
        What was wrong with the slide, it says.  Of an interrupted restoration the work is kept, and the
        same call goes on with it.
    """
    stage = partial(_restored, model=model, stages=stages, perceptual=perceptual)
    return attempted(Entry(job), stage).result()


def _restored(
    entry: Entry, *, model: str | os.PathLike[str] | Restorer, stages: Stages, perceptual: float
) -> Entry:
    job = entry.job
    stages.refuse_originals([job.target])
    remove_spent_folder(job.target)
    if job.target.exists() and not stages.overwrite:
        return replace(entry, status="skipped", message=f"{job.target} exists")
    facts = _facts_of(open_slide(job.source))
    options = {"overwrite": stages.overwrite, "perceptual": perceptual, **stages.options}
    options.pop("data_range", None)
    restored = stages.run(job, restore_slide(job.source, job.target, model, **options)).restored
    status: Status = "restored" if restored else "unchanged"
    return replace(entry, status=status, facts=facts, method=stages.note(changed=restored))


def _facts_of(slide: Slide) -> FileFacts | None:
    """Tell what the tiles' headers say; of a slide without JPEGs nothing is known before it is restored."""
    if not slide.jpeg_coded:
        return None
    shape = (*slide.shape, slide.samples) if slide.rgb else (slide.planes, *slide.shape)
    known = slide.format, shape if slide.channels > 1 else slide.shape, slide.dtype.name, "jpeg"
    record = slide.sampled_record()
    if record is None:
        return FileFacts(*known, "header", 1.0)
    return FileFacts(*known, "header", 1.0, record.quality, record.subsampling, record.grid)
