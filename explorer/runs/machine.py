"""What computes: the processor, its cores, and the versions of the software; kept with each run."""

import os
import platform

import numpy
import torch

from explorer import __version__


def hardware(device: str) -> str:
    """What computes, with its number of cores; `device` as of `Engine.device_name`, or "CPU"."""
    computing = f"{device} ({_processor()})" if device.startswith("CPU") else device
    return f"{computing or 'unknown device'}, {os.cpu_count()} cores"


def software() -> str:
    """Names and versions, as `versions_in` reads them."""
    versions = {
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "explorer": __version__,
    }
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def versions_in(software: str) -> dict[str, str]:
    """Versions by package, in small letters: "Python 3.12.1, torch 2.13.0" has two."""
    pairs = (each.rpartition(" ") for each in software.split(", "))
    return {name.lower(): version for name, _, version in pairs if name}


def _processor() -> str:
    return str(torch.cpu.get_capabilities().get("cpu_name", "")) or platform.machine()
