"""The paper's MNIST network, and the one-layer network that learns to tell a knight from its turn."""

from torch import Tensor, nn

from equivariance.groups.fields import scalars
from equivariance.layers.plain import Grey, typed
from models.blocks import Kit
from models.catalog import MEAN_FIRST


class Cnn(nn.Module):
    """Seven convolutions, one 2×2 max-pool (Cohen and Welling 2016; Edixhoven et al. 2023, MNIST).

    With 3 input channels and 10 fields of p4 it has the 24,990 parameters of the authors' logs. The first six
    convolutions are padded by one, so that 27 px fit; the last, 4×4, is not, and a mean over space follows. `dropout`
    is the rate at the four places where the authors' network has it.
    """

    def __init__(self, kit: Kit, *, planes: tuple[int, ...], classes: int, head: str, dropout: float = 0.0) -> None:
        super().__init__()
        picture, hidden = kit.picture(3), kit.hidden(planes[0])
        self.enter = kit.enter(picture)
        self.layer1 = _layer(kit, picture, hidden, 3, padding=1, dropout=dropout)
        self.layer2 = _layer(kit, hidden, hidden, 3, padding=1)
        self.pool = kit.max_pool(hidden, 2, stride=2)
        self.layer3 = _layer(kit, hidden, hidden, 3, padding=1, dropout=dropout)
        self.layer4 = _layer(kit, hidden, hidden, 3, padding=1, dropout=dropout)
        self.layer5 = _layer(kit, hidden, hidden, 3, padding=1, dropout=dropout)
        self.layer6 = _layer(kit, hidden, hidden, 3, padding=1)
        self.layer7 = _layer(kit, hidden, hidden, 4, padding=0)
        self.head = kit.head(hidden, classes, order=head)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) → logits (B, classes)."""
        features = self.layer2(self.layer1(self.enter(picture)))  # (B, C, H, W)
        features = self.layer4(self.layer3(self.pool(features)))  # (B, C, H/2, W/2)
        features = self.layer7(self.layer6(self.layer5(features)))  # (B, C, H/2 − 3, W/2 − 3)
        return self.head(features)


class Knight(nn.Module):
    """One convolution (3×3, stride 2, padding 1, one field) on a grey picture; 14 parameters for p4 and 2 classes.

    The authors' has no activation. With another head it is that of version 0.1, which had one.
    """

    def __init__(self, kit: Kit, *, planes: tuple[int, ...], classes: int, head: str) -> None:
        super().__init__()
        picture, hidden = kit.picture(1), kit.hidden(planes[0])
        self.grey = typed(Grey(), scalars(3), scalars(1))
        self.enter = kit.enter(picture)
        self.conv = kit.conv(picture, hidden, 3, stride=2, padding=1, bias=True)
        self.activation = nn.Identity() if head == MEAN_FIRST else kit.activation(hidden)
        self.head = kit.head(hidden, classes, order=head)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) → logits (B, classes)."""
        return self.head(self.activation(self.conv(self.enter(self.grey(picture)))))


def _layer(
    kit: Kit, in_type: object, out_type: object, kernel_size: int, *, padding: int, dropout: float = 0.0
) -> nn.Sequential:
    layer = nn.Sequential()
    layer.add_module("conv", kit.conv(in_type, out_type, kernel_size, padding=padding, bias=True))
    layer.add_module("norm", kit.norm(out_type))
    layer.add_module("activation", kit.activation(out_type))
    if dropout:
        layer.add_module("dropout", kit.dropout(out_type, dropout))
    return layer
