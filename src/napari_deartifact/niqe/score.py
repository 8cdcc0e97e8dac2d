"""The distance between what a picture's blocks look like and what those of undamaged photographs do."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deartifact.niqe.features import FEATURES, FEWEST_BLOCKS, block_features, count_blocks
from napari_deartifact.niqe.pristine import PristineModel, complete


def niqe(image: ArrayLike, model: PristineModel, *, data_range: float = 255.0) -> float:
    """Return the natural image quality evaluator [1]_: the less, the more natural a picture looks.

    Parameters
    ----------
    image : array-like, shape (Y, X) or (Y, X, 3)
        Grey or RGB; black is 0.  It must hold two blocks of the model, so 96×192 pixels or 192×96 for
        that of the paper.  What reaches over the last whole block is left out.
    model : PristineModel
        What undamaged photographs look like.
    data_range : float
        Distance from black to white.

    Returns
    -------
    float
        From 0, without a unit.  NaN when fewer than two blocks have contrast.

    Raises
    ------
    ValueError
        For other shapes, too small pictures, and pixels that are NaN or infinite.

    Notes
    -----
    :func:`~napari_deartifact.niqe.block_features` says how pixels become features.  A block that lacks
    one, being flat, counts in the mean as far as it goes, and in the covariance not at all, as in the
    authors' MATLAB code.  Where a picture is flat, that code counts the signs of rounding errors, which
    moves its answer from one filter to the next; here they are zero.

    MATLAB's own function ``niqe`` has another model, so its figures do not compare with those of the
    paper's model.  A model of photographs says little about micrographs, plots and text.

    References
    ----------
    .. [1] A. Mittal, R. Soundararajan, A. C. Bovik, "Making a 'completely blind' image quality
       analyzer", IEEE Signal Processing Letters 20(3), 2013, :doi:`10.1109/LSP.2012.2227726`.

    Examples
    --------
    The paper's model is a file, ``PristineModel.read("niqe_pris_params.npz")``.  One of two
    photographs already tells a blurred photograph from a sharp one:

    >>> from scipy.ndimage import gaussian_filter
    >>> from skimage import data
    >>> model = PristineModel.fit([data.astronaut(), data.coffee()], block_size=48, sharpness=0.25)
    >>> cat = data.chelsea()
    >>> niqe(cat, model) < niqe(gaussian_filter(cat, (2, 2, 0)), model)
    True
    """
    features, _ = block_features(image, block_size=model.block_size, data_range=data_range)
    whole = complete(features)
    if len(whole) < FEWEST_BLOCKS:
        return math.nan
    difference = model.mean - np.nanmean(features, axis=0)
    spread = (model.covariance + np.cov(whole, rowvar=False)) / 2
    # What is smaller is rounding, to MATLAB's pinv too.
    inverse = np.linalg.pinv(spread, rcond=FEATURES * np.finfo(np.float64).eps, hermitian=True)
    return math.sqrt(max(float(difference @ inverse @ difference), 0.0))


class NIQE:
    """`niqe` of 8-bit pictures, for :func:`napari_deartifact.evaluation.evaluate`.

    Parameters
    ----------
    model : PristineModel
    """

    key = "niqe"
    needs_original = False

    def __init__(self, model: PristineModel) -> None:
        self.model = model

    @property
    def name(self) -> str:
        """What is measured, and by which model."""
        return f"NIQE by {self.model.name}"

    def __call__(self, original: NDArray[np.uint8], picture: NDArray[np.uint8], /) -> float:
        """Judge `picture`, of shape (Y, X) or (Y, X, 3); NaN where it holds less than two blocks."""
        if count_blocks(picture.shape, self.model.block_size) < FEWEST_BLOCKS:
            return math.nan
        return niqe(picture, self.model)
