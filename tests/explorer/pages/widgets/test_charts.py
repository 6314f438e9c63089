"""What several pages draw alike."""

from explorer.pages.widgets.charts import SIGNS


def test_every_verdict_has_a_sign_of_its_own() -> None:
    assert set(SIGNS) == {"exact", "approximate", "not equivariant", "undecided"}
    assert len({sign.partition("[")[2] for sign in SIGNS.values()}) == len(SIGNS)  # told apart without their colour
