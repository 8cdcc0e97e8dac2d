"""The way of a slide from its regions over the coarser levels to the target's name."""

from __future__ import annotations

import base64
import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_deartifact._version import __version__
from napari_deartifact.devices import default_tile_size
from napari_deartifact.files.ome_tiff import TIFFLabels, tile_count, write_ome_tiff
from napari_deartifact.files.ome_zarr import Pyramid, PyramidLayout
from napari_deartifact.files.slides_base import Damage, Slide, Window
from napari_deartifact.files.slides_history import Judgement
from napari_deartifact.files.slides_job import SlideJob
from napari_deartifact.files.slides_region import RegionAnswer, RegionRestorer
from napari_deartifact.intensities import IntensityScale
from napari_deartifact.models.twin import mixed_name
from napari_deartifact.request import Request
from napari_deartifact.tiling import Progress

_CHUNKS_PER_REGION = 2
_JUDGEMENT, _PYRAMID, _TIFF = "judgement", "pyramid", "pyramid.ome.tif"
_TOLD = 4

Kind = Literal["zarr", "tiff"]


@dataclass(frozen=True)
class RestoredSlide:
    """What became of a slide.

    Attributes
    ----------
    target : Path
    shape : (int, int, int)
        Channels, rows and columns.
    levels : int
        Of the pyramid.
    restored : bool
        False when the slide shows no JPEG history and was copied as it is.
    damaged : tuple of Damage
        Tiles that are missing or damaged in the source.
    """

    target: Path
    shape: tuple[int, int, int]
    levels: int
    restored: bool
    damaged: tuple[Damage, ...]


@dataclass(frozen=True)
class SlideRun:
    """One restoration of a slide, done or half done.

    Attributes
    ----------
    slide : Slide
    request : Request
        Checked.
    consistency : bool
        Whether tables are to bind the answer.
    pyramid : Pyramid
        The working store.
    job : SlideJob
        What is done.
    """

    slide: Slide
    request: Request
    consistency: bool
    pyramid: Pyramid
    job: SlideJob

    @classmethod
    def of(
        cls, slide: Slide, request: Request, job: SlideJob, *, consistency: bool, chunk_size: int
    ) -> SlideRun:
        """Open the working store, or make it."""
        layout = PyramidLayout(
            shape=(slide.channels, *slide.shape),
            dtype=slide.dtype.newbyteorder("="),
            chunk=chunk_size,
            pixel_size=slide.pixel_size,
            rgb=slide.rgb,
            name=slide.path.stem,
            inverted=slide.photometric == "miniswhite",
        )
        return cls(slide, request, consistency, Pyramid(job.folder / _PYRAMID, layout), job)

    def steps(self, kind: Kind) -> Generator[Progress, None, RestoredSlide]:
        """Do what is left to do, a tile a step."""
        work = list(self._work())
        total = len(work) + (tile_count(self.pyramid) if kind == "tiff" else 0)
        yield Progress(0, total)
        judgement = self._judgement()
        left = [piece for piece in work if _name(*piece) not in self.job.done]
        before = len(work) - len(left)
        if before:
            yield Progress(before, total)
        for step in self._pieces(self._restorer(judgement), left):
            yield Progress(before + step.done, total)
        damaged = self._damaged()
        self.pyramid.describe(self._provenance(judgement, damaged))
        product = self.pyramid.folder
        if kind == "tiff":
            product = self.job.folder / _TIFF
            for step in write_ome_tiff(product, self.pyramid, self._labels(judgement)):
                yield Progress(len(work) + step.done, total)
        self._tell(judgement, damaged)
        self.job.publish(product)
        shape = self.pyramid.layout.shape
        return RestoredSlide(
            self.job.target, shape, len(self.pyramid.levels), judgement.restore, tuple(damaged)
        )

    def _work(self) -> Iterator[tuple[int, Window]]:
        edge = _CHUNKS_PER_REGION * self.pyramid.layout.chunk
        for level in range(len(self.pyramid.levels)):
            for window in self.pyramid.windows(level, edge):
                yield level, window

    def _judgement(self) -> Judgement:
        if _JUDGEMENT not in self.job.done:
            judgement = Judgement.of(self.slide, self.request)
            self.job.finish(_JUDGEMENT, **vars(judgement))
        return Judgement(**self.job.done[_JUDGEMENT])

    def _restorer(self, judgement: Judgement) -> RegionRestorer:
        model = self.request.loaded_model() if judgement.restore else None
        if model is not None and model.needs_tables and not judgement.tables:
            raise ValueError(
                f"model {model.name!r} works from the JPEG's tables, and the tiles of {self.slide.path} have "
                "none; choose a network"
            )
        return RegionRestorer(
            slide=self.slide,
            model=model,
            scale=IntensityScale(judgement.black, judgement.white, self.slide.dtype),
            strength=self.request.strength,
            tile_size=self.request.tile_size or default_tile_size(getattr(model, "device", "cpu")),
            consistency=self.consistency and judgement.tables,
            origin=(judgement.origin[0], judgement.origin[1]),
        )

    def _pieces(
        self, restorer: RegionRestorer, left: Sequence[tuple[int, Window]]
    ) -> Generator[Progress, None, None]:
        finest = [window for level, window in left if level == 0]
        if finest:
            for step in self._finest(restorer, finest):
                yield Progress(step.done, len(left))
        for done, (level, window) in enumerate(left[len(finest) :], len(finest) + 1):
            self.pyramid.coarsen(level, *window)
            self.job.finish(_name(level, window))
            yield Progress(done, len(left))

    def _finest(self, restorer: RegionRestorer, windows: Sequence[Window]) -> Generator[Progress, None, None]:
        """Restore regions; meanwhile the next one is decoded and the last one's answer is written."""
        with ThreadPoolExecutor(2, "deartifact-slide") as threads:
            decoding = writing = threads.submit(self.slide.decode_ahead, windows[0])
            for done, window in enumerate(windows):
                decoding.result()
                for one in windows[done + 1 : done + 2]:
                    decoding = threads.submit(self.slide.decode_ahead, one)
                answer = yield from _as_one_piece(restorer.steps(window), Progress(done, len(windows)))
                writing.result()
                writing = threads.submit(self._save, window, answer)
                yield Progress(done + 1, len(windows))
            writing.result()

    def _save(self, window: Window, answer: RegionAnswer) -> None:
        self.pyramid.write(0, *window, answer.pixels)
        damaged = [list(vars(damage).values()) for damage in answer.damaged]
        self.job.finish(_name(0, window), damaged=damaged, unbound=answer.unbound)

    def _damaged(self) -> list[Damage]:
        """Return the tiles that any region found missing or damaged, each once."""
        found = {
            tuple(told[:3]): Damage(*told)
            for piece in self.job.done.values()
            for told in piece.get("damaged", ())
        }
        return [found[name] for name in sorted(found)]

    def _provenance(self, judgement: Judgement, damaged: list[Damage]) -> dict[str, Any]:
        """Write down what was done to what, in what JSON can hold."""
        slide = self.slide
        return {
            "program": "napari-deartifact",
            "version": __version__,
            "source": {
                "name": slide.path.name,
                "format": slide.format,
                "description": slide.description,
                "properties": dict(slide.properties),
                "icc_profile": base64.b64encode(slide.icc).decode() if slide.icc else None,
            },
            "model": self._model_name() if judgement.restore else None,
            "strength": self.request.strength,
            "perceptual": self.request.perceptual_share() if judgement.restore else 0.0,
            "quantization_tables": "of each tile" if self.consistency and judgement.tables else None,
            "damaged_tiles": [vars(damage) for damage in damaged],
        }

    def _model_name(self) -> str:
        model = self.request.model
        if isinstance(model, str | os.PathLike):
            return mixed_name(Path(model).stem, self.request.perceptual)
        return model.name

    def _labels(self, judgement: Judgement) -> TIFFLabels:
        slide = self.slide
        model = f", model {self._model_name()}" if judgement.restore else ""
        properties = {"restored by": f"napari-deartifact {__version__}{model}", **slide.properties}
        return TIFFLabels(slide.photometric, slide.description, properties, self.job.uuid, slide.icc)

    def _tell(self, judgement: Judgement, damaged: list[Damage]) -> None:
        """Warn of all that the user should know of the answer."""
        told = list(judgement.warnings)
        if damaged:
            told.append(self._damage_message(damaged))
        if judgement.restore and self.consistency and not judgement.tables:
            told.append(
                f"the tiles of {self.slide.path} have no quantization tables that could bind the answer"
            )
        unbound = {tuple(name) for piece in self.job.done.values() for name in piece.get("unbound", ())}
        if unbound:
            told.append(
                f"in {len(unbound)} tiles of {self.slide.path} no quantization tables bind the answer: they "
                "have none, or decode to other pixels"
            )
        for message in told:
            warnings.warn(message, UserWarning, stacklevel=3)

    def _damage_message(self, damaged: list[Damage]) -> str:
        several = self.slide.planes > 1
        some = "; ".join(
            f"row {one.row}, column {one.column}{f', plane {one.plane}' if several else ''}: {one.reason}"
            for one in damaged[:_TOLD]
        )
        more = f"; and {len(damaged) - _TOLD} more" if len(damaged) > _TOLD else ""
        return (
            f"{len(damaged)} tiles of {self.slide.path} are missing or damaged and left as they are "
            f"({some}{more})"
        )


def _as_one_piece(
    steps: Generator[Progress, None, RegionAnswer], whole: Progress
) -> Generator[Progress, None, RegionAnswer]:
    try:
        while True:
            next(steps)
            yield whole
    except StopIteration as stop:
        answer: RegionAnswer = stop.value
        return answer


def _name(level: int, window: Window) -> str:
    rows, columns = window
    return f"{level}/{rows.start}/{columns.start}"
