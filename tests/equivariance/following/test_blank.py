"""Copies without weights."""

import torch
from torch import nn

from equivariance.following.blank import blank_copy, tensors_of


def test_a_blank_copy_has_the_structure_and_no_numbers() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    blank = blank_copy(network)

    assert all(tensor.is_meta for tensor in tensors_of(blank))
    assert {name: tensor.shape for name, tensor in blank.state_dict().items()} == {
        name: tensor.shape for name, tensor in network.state_dict().items()
    }
    assert [name for name, _ in blank.named_buffers()] == [name for name, _ in network.named_buffers()]
    assert all(isinstance(each, nn.Parameter) and not each.requires_grad for each in blank.parameters())
    assert not any(isinstance(each, nn.Parameter) for each in blank.buffers())
    assert not any(module.training for module in blank.modules())


def test_the_network_itself_stays_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).train()
    before = [tensor.clone() for tensor in tensors_of(network)]
    blank_copy(network)
    assert all(torch.equal(one, other) for one, other in zip(before, tensors_of(network), strict=True))
    assert network.training and next(network.parameters()).requires_grad


def test_parameters_come_before_buffers() -> None:
    norm = nn.BatchNorm2d(2)
    assert tensors_of(norm) == [*norm.parameters(), *norm.buffers()] and len(tensors_of(norm)) == 5
