"""The pages as they read, with gaps for what is measured."""

CARD = """\
# `{name}`

{description}

*Written by `python tools/model_cards.py`: words are changed in [notes](notes/{name}.md), figures in the \
header of the model's file.*

{facts}

## Use it for

{use}

## Do not use it for

{not_use}

## Failure cases

{failures}

{seen}

## Measured

{measured}
"""
TRAINED = """
## How it was trained

{training}

## What it was trained on

{sources}
"""
FAILURES = """\
![Crops on which {name} does worst](pictures/{name}.png)

Each row is a crop of {crop}×{crop} pixels, found [by measurement](README.md#pictures-of-failures): \
for each case the one that gains least at quality {quality}, \
then the worst {worst} of all pictures and qualities.
The model was {told}.
The last crop of a row is red where the answer is farther from the original than the JPEG, \
blue where it is nearer.
PSNR of the crops in dB:

{rows}

The smallest gain of any crop with a visible error, in dB, at each quality; a dash where no crop has one:

{losses}"""
INDEX = """\
# Models

Every model that ships: what it is for, where it fails, what it was measured to do and how it was made.
[results.md](../results.md) compares them.

{models}

## Pictures of failures

The originals below go through JPEG (4:2:0) at quality {qualities} and through the model in float32.
It is not told of the JPEG (`spp` gets its tables), and its answer is not projected onto the JPEG's cells.
All crops of {crop}×{crop} pixels, {step} apart, are measured.
For each case the crop is shown that gains least in PSNR at quality {quality}, \
of those with an error that can be seen, more than {visible:g} levels in their middle.
Then come the {worst} crops that gain least of all, each on another picture.
Nothing is chosen by eye.
Crops of little contrast are stretched, all of a row alike.
In the last crop red and blue are full where the error grew or fell by {full:g} levels, as they are shown.
*Bound to the file* is the PSNR of the answer that agrees with the JPEG, \
which is what `deartifact` gives when it has the JPEG.

{originals}

## Making the cards

`python tools/model_cards.py` writes all cards from the headers of the model files, \
and searches again where weights are new; `--check` tells what is stale, and so does a test.
The words in `notes/` are written by hand after looking at the pictures, \
and name the picture that they describe.
"""
