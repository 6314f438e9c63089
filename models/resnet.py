"""ResNet-18 and ResNet-44 (He et al. 2016, arXiv 1512.03385), with the stem for small or for large pictures."""

from typing import Any

from torch import Tensor, nn

from models.blocks import Kit


class ResNet(nn.Module):
    """A stem, stages of basic blocks (each stage after the first halves the side), pooling, a classifier."""

    def __init__(
        self,
        kit: Kit,
        *,
        planes: tuple[int, ...],
        blocks_per_stage: int,
        large_stem: bool,
        classes: int,
        head: str,
    ) -> None:
        super().__init__()
        picture, field_type = kit.picture(3), kit.hidden(planes[0])
        self.enter = kit.enter(picture)
        self.stem = _stem(kit, picture, field_type, large=large_stem)
        self.stages = len(planes)
        for number, width in enumerate(planes, start=1):
            stage = nn.Sequential()
            for block in range(1, blocks_per_stage + 1):
                stride = 2 if number > 1 and block == 1 else 1
                out_type = kit.hidden(width)
                stage.add_module(f"block{block}", BasicBlock(kit, field_type, out_type, stride=stride))
                field_type = out_type
            self.add_module(f"stage{number}", stage)
        self.head = kit.head(field_type, classes, order=head)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) → logits (B, classes)."""
        features = self.stem(self.enter(picture))
        for number in range(1, self.stages + 1):
            features = self.get_submodule(f"stage{number}")(features)
        return self.head(features)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut; a 1×1 convolution on the shortcut where the shape changes."""

    def __init__(self, kit: Kit, in_type: Any, out_type: Any, *, stride: int) -> None:
        super().__init__()
        self.conv1 = kit.conv(in_type, out_type, 3, stride=stride, padding=1)
        self.norm1 = kit.norm(out_type)
        self.activation1 = kit.activation(out_type)
        self.conv2 = kit.conv(out_type, out_type, 3, padding=1)
        self.norm2 = kit.norm(out_type)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_type != out_type:
            self.shortcut.add_module("conv", kit.conv(in_type, out_type, 1, stride=stride))
            self.shortcut.add_module("norm", kit.norm(out_type))
        self.activation2 = kit.activation(out_type)

    def forward(self, features: Any) -> Any:
        """(B, C, H, W) → (B, C', H/stride, W/stride)."""
        residual = self.activation1(self.norm1(self.conv1(features)))
        residual = self.norm2(self.conv2(residual))
        return self.activation2(residual + self.shortcut(features))


def _stem(kit: Kit, picture: Any, out_type: Any, *, large: bool) -> nn.Sequential:
    stem = nn.Sequential()
    if large:
        stem.add_module("conv", kit.conv(picture, out_type, 7, stride=2, padding=3))
    else:
        stem.add_module("conv", kit.conv(picture, out_type, 3, padding=1))
    stem.add_module("norm", kit.norm(out_type))
    stem.add_module("activation", kit.activation(out_type))
    if large:
        stem.add_module("pool", kit.max_pool(out_type, 3, stride=2, padding=1))
    return stem
