"""Wide-ResNet-10-4 (Zagoruyko and Komodakis 2016, arXiv 1605.07146): three stages of one wide pre-activation block."""

from typing import Any

from torch import Tensor, nn

from models.blocks import Kit


class WideResNet(nn.Module):
    """A 3×3 stem, stages of pre-activation blocks (the second and third halve the side), a last norm, a classifier."""

    def __init__(self, kit: Kit, *, planes: tuple[int, ...], classes: int, head: str) -> None:
        super().__init__()
        picture, stem_type = kit.picture(3), kit.hidden(planes[0])
        stage_types = [kit.hidden(width) for width in planes[1:]]
        self.enter = kit.enter(picture)
        self.stem = kit.conv(picture, stem_type, 3, padding=1)
        self.stage1 = WideBlock(kit, stem_type, stage_types[0], stride=1)
        self.stage2 = WideBlock(kit, stage_types[0], stage_types[1], stride=2)
        self.stage3 = WideBlock(kit, stage_types[1], stage_types[2], stride=2)
        self.norm = kit.norm(stage_types[2])
        self.activation = kit.activation(stage_types[2])
        self.head = kit.head(stage_types[2], classes, order=head)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) → logits (B, classes)."""
        features = self.stage1(self.stem(self.enter(picture)))  # (B, C, H, W)
        features = self.stage3(self.stage2(features))  # (B, C', H/4, W/4)
        return self.head(self.activation(self.norm(features)))


class WideBlock(nn.Module):
    """Norm, activation, 3×3 convolution, twice; the shortcut is a 1×1 convolution of the activated input."""

    def __init__(self, kit: Kit, in_type: Any, out_type: Any, *, stride: int) -> None:
        super().__init__()
        self.norm1 = kit.norm(in_type)
        self.activation1 = kit.activation(in_type)
        self.conv1 = kit.conv(in_type, out_type, 3, stride=stride, padding=1)
        self.norm2 = kit.norm(out_type)
        self.activation2 = kit.activation(out_type)
        self.conv2 = kit.conv(out_type, out_type, 3, padding=1)
        self.shortcut = kit.conv(in_type, out_type, 1, stride=stride)

    def forward(self, features: Any) -> Any:
        """(B, C, H, W) → (B, C', H/stride, W/stride)."""
        activated = self.activation1(self.norm1(features))
        residual = self.activation2(self.norm2(self.conv1(activated)))
        return self.conv2(residual) + self.shortcut(activated)
