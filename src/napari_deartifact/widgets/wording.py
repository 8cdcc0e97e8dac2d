"""What the library says of its arguments, in the words of the Restore widget."""

from __future__ import annotations

import re

FORCE = "Images that show no JPEG history too"
"""The box that sets `force`."""

_RESTART = "choose another output, delete it, or pass resume=False (--restart)"  # of training.checkpoint
_FORCE, _SHARE = re.compile(r"\bwith force=True\b"), re.compile(r"\bperceptual=(?=[01])")


def in_words_of_the_widget(message: str) -> str:
    """Name the widget's controls where a message of the library names arguments.

    Examples
    --------
    >>> in_words_of_the_widget("restore it all the same with force=True")
    "restore it all the same by ticking 'Images that show no JPEG history too'"
    >>> in_words_of_the_widget("name model 'general' with perceptual=1")
    "name model 'general' with Perceptual 1"
    >>> in_words_of_the_widget("choose another output, delete it, or pass resume=False (--restart)")
    'choose another name, or delete it'
    """
    message = _SHARE.sub("Perceptual ", _FORCE.sub(f"by ticking {FORCE!r}", message))
    return message.replace(_RESTART, "choose another name, or delete it")
