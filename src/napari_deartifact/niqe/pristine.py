"""What blocks of undamaged photographs look like: a Gaussian, from a file or from photographs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_deartifact.atomic import replacing
from napari_deartifact.niqe.features import BLOCK_SIZE, FEATURES, Floats, block_features, check_block_size

# As BasicSR's file names them, and as the authors' does.
_MEAN_KEYS = ("mu_pris_param", "mu_prisparam")
_COVARIANCE_KEYS = ("cov_pris_param", "cov_prisparam")
_EXPECTED = (
    "expected what NIQE compares pictures with, measured on undamaged photographs: niqe_pris_params.npz of "
    "BasicSR, modelparameters.mat of the authors, or what PristineModel.save wrote"
)


@dataclass(frozen=True, eq=False)
class PristineModel:
    """A Gaussian over what NIQE looks at in the blocks of undamaged photographs.

    Parameters
    ----------
    mean : ndarray, shape (36,)
    covariance : ndarray, shape (36, 36)
    block_size : int
        Side of the blocks that it was measured on, in pixels; 96 in the paper.
    name : str
        Told beside figures.

    Raises
    ------
    ValueError
        For other shapes, numbers that are not finite, and a block size that is odd or below 8.
    """

    mean: Floats
    covariance: Floats
    block_size: int = BLOCK_SIZE
    name: str = "a model of one's own"

    def __post_init__(self) -> None:
        mean = np.asarray(self.mean, dtype=np.float64)
        covariance = np.asarray(self.covariance, dtype=np.float64)
        if mean.size != FEATURES or covariance.shape != (FEATURES, FEATURES):
            raise ValueError(
                f"the mean has shape {mean.shape} and the covariance {covariance.shape}; "
                f"expected ({FEATURES},) and ({FEATURES}, {FEATURES})"
            )
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise ValueError("the mean or the covariance holds NaN or infinity; expected finite numbers")
        check_block_size(self.block_size)
        object.__setattr__(self, "mean", mean.reshape(FEATURES))
        object.__setattr__(self, "covariance", covariance)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PristineModel:
        """Read a model from a file.

        Parameters
        ----------
        path : path
            What `save` wrote, BasicSR's ``niqe_pris_params.npz``, or ``modelparameters.mat`` of the
            authors' release [1]_.  Nothing in it is executed.

        Returns
        -------
        PristineModel
            Its name is the file's.

        Raises
        ------
        FileNotFoundError
            When there is no such file, or a folder.
        ValueError
            When it is of another kind, or its arrays have other names or shapes.

        References
        ----------
        .. [1] A. Mittal, R. Soundararajan, A. C. Bovik, "NIQE software release",
           http://live.ece.utexas.edu/research/quality/niqe_release.zip, 2012.
        """
        path = Path(path)
        if not path.is_file():
            given = f"{path} is a folder; name the file" if path.is_dir() else f"no file at {path}"
            raise FileNotFoundError(f"{given}; {_EXPECTED}")
        try:
            arrays = _read_arrays(path)
        except PermissionError:
            raise
        except Exception as error:  # Each format has its own, which say little or give unsafe advice.
            raise ValueError(f"{path} cannot be read as .npz or .mat; {_EXPECTED}") from error
        try:
            mean, covariance = _find(arrays, _MEAN_KEYS), _find(arrays, _COVARIANCE_KEYS)
            return cls(mean, covariance, int(arrays.get("block_size", BLOCK_SIZE)), path.name)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}; {_EXPECTED}") from error

    @classmethod
    def fit(
        cls,
        images: Iterable[ArrayLike],
        *,
        block_size: int = BLOCK_SIZE,
        sharpness: float = 0.75,
        data_range: float = 255.0,
    ) -> PristineModel:
        """Measure a model on undamaged pictures.

        Parameters
        ----------
        images : iterable of array-like, each of shape (Y, X) or (Y, X, 3)
            Grey or RGB; black is 0.  The paper took 125 photographs.
        block_size : int
            Side of the blocks, in pixels, even.
        sharpness : float
            Of each picture those blocks count whose mean local standard deviation is above this share
            of its highest one, as a blurred background is no sample of a good picture.  0 to 1.
        data_range : float
            Distance from black to white.

        Returns
        -------
        PristineModel

        Raises
        ------
        ValueError
            When no more blocks are sharp than there are features, 36, and as
            :func:`~napari_deartifact.niqe.block_features`.

        Examples
        --------
        >>> from skimage import data
        >>> model = PristineModel.fit([data.astronaut(), data.coffee()], block_size=48, sharpness=0.25)
        >>> model.mean.shape
        (36,)
        """
        if not 0 <= sharpness < 1:
            raise ValueError(f"sharpness is {sharpness}; expected 0 to below 1")
        found = [np.empty((0, FEATURES))]
        for image in images:
            features, sharp = block_features(image, block_size=block_size, data_range=data_range)
            found.append(features[sharp > sharpness * sharp.max()])
        blocks = complete(np.concatenate(found))
        if len(blocks) <= FEATURES:
            raise ValueError(
                f"{len(blocks)} blocks of {block_size}×{block_size} pixels are sharp; expected more than "
                f"{FEATURES}: give more pictures, or lower sharpness or block_size"
            )
        return cls(blocks.mean(axis=0), np.cov(blocks, rowvar=False), block_size)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to an ``.npz`` file, which `read` reads.

        Raises
        ------
        ValueError
            When the name ends otherwise.
        FileNotFoundError
            When the folder does not exist.
        """
        if Path(path).suffix.lower() != ".npz":
            raise ValueError(f"{os.fspath(path)} has another suffix; expected a name that ends in .npz")
        with replacing(path) as temporary:
            np.savez(
                temporary,
                mu_pris_param=self.mean,
                cov_pris_param=self.covariance,
                block_size=np.array(self.block_size),
            )


def complete(features: Floats) -> Floats:
    """Leave out the blocks of which not everything is known."""
    return features[~np.isnan(features).any(axis=1)]


def _read_arrays(path: Path) -> dict[str, Any]:
    if path.suffix.lower() == ".mat":
        from scipy.io import loadmat

        return dict(loadmat(path))
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive}


def _find(arrays: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys:
        if key in arrays:
            return arrays[key]
    found = sorted(key for key in arrays if not key.startswith("__"))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    held = f"{found[0]}{more}" if found else "nothing"
    raise ValueError(f"no array {' or '.join(keys)} is in it (it holds {held})")
