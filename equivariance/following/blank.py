"""The structure of a network, without its weights."""

from torch import Tensor, nn

from equivariance.layers.planar import copied


def blank_copy(network: nn.Module) -> nn.Module:
    """A copy of `network` on the meta device: its structure without its weights, and without copying them."""
    tensors = tensors_of(network)
    blank: nn.Module = copied(network, {id(tensor): _on_meta(tensor) for tensor in tensors})
    return blank.eval()


def tensors_of(network: nn.Module) -> list[Tensor]:
    """Its parameters, then its buffers."""
    return [*network.parameters(), *network.buffers()]


def _on_meta(tensor: Tensor) -> Tensor:
    there = tensor.detach().to("meta")
    return nn.Parameter(there, requires_grad=False) if isinstance(tensor, nn.Parameter) else there
