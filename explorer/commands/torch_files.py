"""Weights in torch's own files (.pt, .pth, .ckpt), for the command line alone: pages read safetensors and nothing else.

They are read with `weights_only=True`, which makes tensors and plain containers and runs nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from equivariance.errors import WeightsError, first_line
from explorer.serving.weights_header import MAX_BYTES

SUFFIXES = (".pt", ".pth", ".ckpt")
_WRAPPERS = ("state_dict", "model_state_dict", "model")  # under which training programs keep a state dict
_DEEPEST = 4  # of such dictionaries in one another
_ADVICE = "give a file that torch.save(network.state_dict(), …) wrote"


def is_torch_file(name: str) -> bool:
    """Whether a user names a file of torch's own kind."""
    return Path(name).suffix.lower() in SUFFIXES


def safetensors_of(path: Path) -> bytes:
    """The same weights as the bytes of a safetensors file; raises WeightsError for a file without a state dict."""
    tensors = _state_dict(_loaded(path), path.name)
    try:
        return save({name: each.detach().cpu().contiguous().clone() for name, each in tensors.items()})
    except (RuntimeError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise WeightsError(f"The weights in {path.name!r} cannot be kept ({first_line(error)}): {_ADVICE}.") from None


def _loaded(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WeightsError(f"The weights {path.name!r} have more than {MAX_BYTES} bytes: give a smaller file.")
        return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(
            f"The weights {str(path)!r} cannot be read ({error.strerror or error}): {_ADVICE}."
        ) from None
    except Exception:  # damaged files raise whatever their first bad byte leads to; torch's advice is to run the file
        raise WeightsError(
            f"{path.name!r} is damaged, or holds more than tensors and is not read, for that could run a program: "
            f"{_ADVICE}."
        ) from None


def _state_dict(loaded: Any, name: str) -> dict[str, Tensor]:
    """The tensors by name, out of what training programs keep around them."""
    for _ in range(_DEEPEST):
        outer = loaded if isinstance(loaded, Mapping) else {}
        inner = next((outer[key] for key in _WRAPPERS if isinstance(outer.get(key), Mapping)), None)
        if inner is None:
            break
        loaded = inner
    found = loaded.items() if isinstance(loaded, Mapping) else ()
    tensors = {key: value for key, value in found if isinstance(key, str) and isinstance(value, Tensor)}
    if not tensors:
        raise WeightsError(f"{name!r} holds no tensors by name: {_ADVICE}.")
    return tensors
