"""What the library says of its arguments, in the words of the Restore widget."""

from __future__ import annotations

import re

FORCE = "Images that show no JPEG history too"
"""The box that sets `force`."""

_WORDS = (
    (r"\bwith force=True\b", f"by ticking {FORCE!r}"),
    (r"\bperceptual=(?=[01])", "Perceptual "),
    (r"\bgive its JPEG with jpeg= if you have it\b", "open the JPEG file itself if you have it"),
    (r"\btile_size\b(?= is )", "Tile size"),
    (r", delete it, or pass resume=False \(--restart\)", ", or delete it"),
    (r"\bgive data_range=(?=\d)", "write in Range "),
    (r"\bgive data_range=", "write black and white in Range"),
    (r"\bwith data_range=", "in Range"),
    (r"\bwith jpeg= the range\b", "with the layer's JPEG the range"),
    (r"\(convert it with astype\)", "(convert it, such as by layer.data = layer.data.astype('uint8'))"),
    (r", or train on them all the same with poisoned=\"keep\" \(--keep-jpegs\)", ""),
)


def in_words_of_the_widget(message: str) -> str:
    """Name the widget's controls where a message of the library names arguments.

    Examples
    --------
    >>> in_words_of_the_widget("restore it all the same with force=True")
    "restore it all the same by ticking 'Images that show no JPEG history too'"
    >>> in_words_of_the_widget("name model 'general' with perceptual=1")
    "name model 'general' with Perceptual 1"
    >>> in_words_of_the_widget("choose another output, delete it, or pass resume=False (--restart)")
    'choose another output, or delete it'
    >>> in_words_of_the_widget("if 1 is white, give data_range=1")
    'if 1 is white, write in Range 1'
    """
    for of_the_library, of_the_widget in _WORDS:
        message = re.sub(of_the_library, of_the_widget, message)
    return message
