"""The words of a package for bioimage.io: its documentation and its citations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_deartifact.generators.base import Generator
    from napari_deartifact.models.model_file import ModelCard

JPEG = ("G. K. Wallace, The JPEG still picture compression standard, 1992", "10.1109/30.125072")
PAPERS = {
    "residual": (
        "L. Galteri et al., Deep Generative Adversarial Compression Artifact Removal, ICCV 2017",
        "10.48550/arXiv.1704.02518",
    ),
    "unet": (
        "P. Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017",
        "10.48550/arXiv.1611.07004",
    ),
}
"""Title and DOI by architecture."""

TEMPLATE = """\
# {name}

{description}

A network of the architecture `{architecture}`, trained with napari-deartifact by the recipe `{recipe}`.
It maps a decoded JPEG of {colors}, 0 (black) to 255 (white), to the same picture without artifacts.
Pictures of other depths are scaled to 0 to 255 first.
{sizes}
The model file that was trained is attached.
With it napari-deartifact restores any size and dtype, and projects the answer onto what the JPEG's file says.

Licence of the weights: {licence}.

## Training data

{data}

## Validation

Restore pictures that were compressed on purpose, and compare with the originals.
`deartifact evaluate --model MODEL --images FOLDER` does so with the attached file.
It prints PSNR, PSNR-B and SSIM of the JPEG and of the answer.
{results}
"""


def documentation(generator: Generator, card: ModelCard) -> str:
    """Write the package's README from the model's card.

    Parameters
    ----------
    generator : Generator
    card : ModelCard

    Returns
    -------
    str
        Markdown.
    """
    tile = generator.fixed_tile
    return TEMPLATE.format(
        name=card.name,
        description=card.description,
        architecture=card.architecture,
        recipe=card.recipe.get("name", "not stated"),
        colors="colours (red, green, blue)" if generator.channels == 3 else "luma",
        sizes=f"It takes tiles of {tile} × {tile} pixels."
        if tile
        else f"Heights and widths are multiples of {generator.size_multiple} pixels, and pixels farther away "
        f"than {generator.receptive_radius} have no influence.",
        licence=card.licence,
        data="\n".join(map(_source, card.data)) or "Not stated.",
        results="\n".join(_result(entry) for entry in card.results),
    )


def _source(entry: dict[str, str]) -> str:
    return f"- {entry.get('name', 'not stated')} ({entry.get('licence', 'licence not stated')})"


def _result(entry: dict[str, object]) -> str:
    table = json.dumps(entry.get("table"), indent=1)
    return f"\n`{entry.get('command')}`\n\n```json\n{table}\n```"


def citations(architecture: str) -> list[dict[str, str]]:
    """List what to cite with a network.

    Examples
    --------
    >>> [entry["doi"] for entry in citations("residual")]
    ['10.48550/arXiv.1704.02518', '10.1109/30.125072']
    """
    papers = [PAPERS[architecture]] if architecture in PAPERS else []
    return [{"text": text, "doi": doi} for text, doi in (*papers, JPEG)]
