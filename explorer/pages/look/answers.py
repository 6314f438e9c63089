"""The answers of a trained network on the Look page: the four turns with what the network takes them for."""

from html import escape

import streamlit as st

from explorer.figures.style import BLUE, faint
from explorer.pages.look.sheet import Answers, Turn
from explorer.pages.session.shared import plain
from explorer.pages.widgets.charts import draw_chart

_SIGNS = {True: ":red[≠]", False: ":green[=]"}
_STYLE = """<style>
.answers-box {container-type: inline-size}
.answers {display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 0.75rem}
@container (max-width: 26rem) {.answers {grid-template-columns: repeat(2, minmax(0, 1fr))}}
.answers figure {margin: 0}
.answers img {width: 100%; max-width: 8rem; image-rendering: pixelated; display: block; border-radius: 4px}
.answers figcaption {margin: 0.3rem 0}
.answers ol {list-style: none; margin: 0; padding: 0}
.answers li {display: flex; justify-content: space-between; padding: 0 0.4rem; margin: 2px 0; border-radius: 3px;
  font-variant-numeric: tabular-nums; overflow: hidden}
.answers li:first-child {font-weight: 600}
.answers li span {overflow-wrap: anywhere}
</style>"""
_BAR = faint(BLUE, 0.28)


def draw_answers(answers: Answers) -> None:
    """The card: whether the answer changes, each turn with its likeliest classes, and the logits side by side."""
    with st.container(border=True, key="answers"):
        st.markdown(
            f"#### {_SIGNS[answers.is_changing]} {plain(answers.sentence)}",
            help="What the trained network sees in the picture and its quarter turns. An exactly equivariant network "
            "with a pooled group gives all four the same answer, with the same share up to rounding.",
        )
        left, right = st.columns([1, 1])
        figures = "".join(map(_figure, answers.turns))
        with left:
            st.html(f'{_STYLE}<div class="answers-box"><div class="answers">{figures}</div></div>')
        with right:
            draw_chart(answers.logits, key="answers-logits")


def _figure(turn: Turn) -> str:
    rows = "".join(_row(name, share) for name, share in turn.top)
    return (
        f'<figure><img src="data:image/png;base64,{turn.png}" alt="the picture, {turn.words}">'
        f"<figcaption>{turn.words}</figcaption><ol>{rows}</ol></figure>"
    )


def _row(name: str, share: float) -> str:
    """A class with its share in digits, and as a bar behind them."""
    width = f"{share:.1%}"
    bar = f"linear-gradient(90deg, {_BAR} {width}, transparent {width})"
    return f'<li style="background: {bar}"><span>{escape(name)}</span><span>{width}</span></li>'
