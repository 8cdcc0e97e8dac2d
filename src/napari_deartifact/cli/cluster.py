"""Options of ``deartifact restore`` that hand the files to other machines."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scheduler", metavar="ADDRESS",
        help="restore on a dask cluster, such as tcp://10.0.0.1:8786, whose workers see the same folders",
    )  # fmt: skip


def chosen(options: argparse.Namespace, here: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Return what restores a batch: `here`, or the cluster that the user named."""
    if options.scheduler is None:
        return here
    from napari_deartifact.files.cluster import restore_jobs_on

    return partial(restore_jobs_on, options.scheduler)
