"""A restoration that may be killed at any moment: its working folder says what was begun and what is done.

The folder ``NAME.part`` lies beside the target.  ``job.json`` names the source and the settings, and every
line of ``journal`` one piece of work whose result is on the disk.  The target's own name appears last.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from napari_deartifact.atomic import replacing

SUFFIX = ".part"
_JOB, _JOURNAL, _LOCK, _OLD = "job.json", "journal", "lock", "replaced"
_PUBLISHED = "published"
_OURS = {_JOB, _JOURNAL, _LOCK, _OLD, "pyramid", "pyramid.ome.tif"}
_SOURCE = {"source size", "source modified"}
"""What of an identity tells one state of the source from another, in numbers that say nothing to people."""


class SlideJob:
    """The working folder of one restoration.

    Attributes
    ----------
    target : Path
        What will be made.
    folder : Path
        Where it is being made.
    done : dict of str to dict
        The pieces of work that are finished, each with what it left to tell.
    uuid : str
        Of the answer; it follows from the identity.
    """

    def __init__(self, target: Path, folder: Path, uuid: str) -> None:
        self.target, self.folder, self.uuid = target, folder, uuid
        self.done = _read_journal(folder / _JOURNAL)
        self._journal = (folder / _JOURNAL).open("ab", buffering=0)

    @classmethod
    @contextmanager
    def opened(cls, target: Path, identity: Mapping[str, Any], *, overwrite: bool) -> Iterator[SlideJob]:
        """Begin a restoration, or go on with the one that was interrupted.

        Parameters
        ----------
        target : path
        identity : dict
            All that the answer depends on, in what JSON can hold.
        overwrite : bool
            Begin anew where an unfinished restoration has another identity.

        Yields
        ------
        SlideJob

        Raises
        ------
        ValueError
            When an unfinished restoration differs, or another process is at work on it.
        OSError
            When the folder cannot be made, or somebody else's files are in it.
        """
        folder = working_folder(target)
        _make(folder)
        with _locked(folder / _LOCK):
            _check_identity(folder, identity, overwrite=overwrite)
            job = cls(target, folder, _uuid(identity))
            try:
                yield job
            finally:
                job._journal.close()

    def finish(self, piece: str, **told: Any) -> None:
        """Note that a piece of work is on the disk.

        Raises
        ------
        OSError
            When there is no room for the note; the work counts as not done.
        """
        line = json.dumps({"piece": piece, **told}).encode() + b"\n"
        if self._journal.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.done[piece] = told

    def publish(self, product: Path) -> None:
        """Give a finished file or folder the target's name; the working folder disappears."""
        old = self.folder / _OLD
        if self.target.is_dir() or (product.is_dir() and self.target.exists()):
            remove_folder(old)
            self.target.replace(old)
        self.finish(_PUBLISHED, product=product.name)
        product.replace(self.target)
        remove_folder(self.folder)


def remove_spent_folder(target: Path) -> None:
    """Remove the working folder that is left beside a complete target, when a program ended just then."""
    folder = working_folder(target)
    if target.exists() and _is_spent(folder):
        remove_folder(folder)


def _is_spent(folder: Path) -> bool:
    """Say whether the product of a working folder was moved away, so that what is left is worth nothing."""
    told = _read_journal(folder / _JOURNAL).get(_PUBLISHED)
    return told is not None and not (folder / told["product"]).exists()


def working_folder(target: Path) -> Path:
    """Return the folder in which a target is made."""
    return target.with_name(target.name + SUFFIX)


def _uuid(identity: Mapping[str, Any]) -> str:
    return str(uuid5(NAMESPACE_URL, json.dumps(identity, sort_keys=True)))


def _make(folder: Path) -> None:
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"folder {folder.parent} does not exist; create it first")
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise FileExistsError(f"{folder} is in the way of the work; move it away") from error
    except PermissionError as error:
        raise PermissionError(f"folder {folder.parent} is not writable; choose another target") from error
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"folder {folder} is not writable; choose another target")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes out; the lock ends with the process, however that ends."""
    try:
        import fcntl
    except ModuleNotFoundError:  # not on Windows, where nobody is kept out
        yield
        return
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"another process is at work in {path.parent}; wait for it, or choose another target"
            ) from error
        except OSError:  # a file system without locks
            pass
        yield


def _check_identity(folder: Path, identity: Mapping[str, Any], *, overwrite: bool) -> None:
    wanted = json.loads(json.dumps(identity))
    found = _read_identity(folder / _JOB)
    if _is_spent(folder):
        found = None
    if found == wanted:
        return
    if found is not None and not overwrite:
        raise ValueError(
            f"{folder} holds an unfinished restoration that is another one ({_difference(found, wanted)}); "
            "repeat its command to go on with it, name another target, or begin anew with overwrite=True"
        )
    if found is None:
        _refuse_foreign(folder)
    for entry in folder.iterdir():
        if entry.name != _LOCK:
            remove_folder(entry) if entry.is_dir() else entry.unlink()
    with replacing(folder / _JOB) as path:
        path.write_text(json.dumps(wanted, indent=1))


def _refuse_foreign(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.name not in _OURS and not entry.name.startswith(f".{Path(_JOB).stem}-"):
            raise FileExistsError(
                f"{folder} is where the work would be done, and holds {entry.name}, which is not ours; move "
                "it away, or choose another target"
            )


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    differing = [key for key in sorted({*found, *wanted}) if found.get(key) != wanted.get(key)]
    told = [
        f"{key} was {found.get(key)!r} and is {wanted.get(key)!r}" for key in differing if key not in _SOURCE
    ]
    return ", ".join([*(["the source has changed"] if _SOURCE & set(differing) else []), *told])


def _read_identity(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else {}


def _read_journal(path: Path) -> dict[str, dict[str, Any]]:
    """Read the lines that were written whole, and forget what others tell: that work is done again."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as stream:
            stream.truncate(len(whole))
    notes = filter(None, map(_read_note, whole.splitlines()))
    return {note.pop("piece"): note for note in notes}


def _read_note(line: bytes) -> dict[str, Any] | None:
    try:
        note = json.loads(line)
    except ValueError:
        return None
    return note if isinstance(note, dict) and "piece" in note else None


def remove_folder(folder: Path) -> None:
    """Remove a folder and all that is in it; what cannot be removed stays."""
    shutil.rmtree(folder, ignore_errors=True)
