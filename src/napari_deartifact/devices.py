"""Which device computes, and how large a tile it takes by default."""

from __future__ import annotations

from napari_deartifact.messages import nearest_name

DEFAULT_TILE = {"cpu": 512, "mps": 512, "cuda": 1024}


def available_devices() -> list[str]:
    """List the devices of this machine, the preferred one first.

    Returns
    -------
    list of str
        Such as ``["cuda:0", "cuda:1", "cpu"]``.
    """
    import torch

    devices = (
        [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [*devices, "cpu"]


def resolve_device(device: str = "auto") -> str:
    """Turn what the caller asked for into a device that is there.

    Parameters
    ----------
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        When the device does not exist on this machine.
    TypeError
        When it is no name.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    if not isinstance(device, str):
        raise TypeError(f"device is {device!r}; expected a name such as 'auto', 'cpu' or 'cuda'")
    if device == "cpu":
        return device
    available = available_devices()
    if device == "auto":
        return available[0]
    matches = [name for name in available if device in (name, name.split(":")[0])]
    if not matches:
        raise ValueError(
            f"device {device!r} is not on this machine{nearest_name(device, ['auto', *available])}; "
            f"available: auto, {', '.join(available)}"
        )
    return matches[0]


def default_tile_size(device: str) -> int:
    """Edge of a tile, in pixels, that keeps a device busy within modest memory."""
    return DEFAULT_TILE[device.split(":")[0]]
