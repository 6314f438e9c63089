"""When a page of the app has come to rest: its script has run, its charts are drawn, and nothing moves any more."""

from playwright.sync_api import Page, expect

LIMIT_MS = 60_000
# Endless animations are no movement to wait for. Three calm frames: what is drawn late may start another transition.
RESTED = """async (limit_ms) => {
  await document.fonts.ready;
  const isMoving = (animation) =>
    animation.playState === "running" && Number.isFinite(animation.effect.getComputedTiming().endTime);
  const isEmpty = (chart) => !chart.querySelector(".main-svg") && !chart.textContent;
  const end = performance.now() + limit_ms;
  for (let calm = 0; calm < 3; calm += 1) {
    await new Promise(requestAnimationFrame);
    const moving = document.getAnimations().filter(isMoving).map((animation) => animation.effect.target.outerHTML);
    const empty = [...document.querySelectorAll(".chart")].filter(isEmpty).map((chart) => chart.outerHTML);
    if (moving.length || empty.length) calm = -1;
    if (performance.now() > end) throw new Error(`not at rest: moving ${moving.join()}; not drawn ${empty.join()}`);
  }
}"""


def settle(page: Page) -> None:
    """Wait until the page is at rest.

    While a script runs for more than half a second, Streamlit shows a Stop button of its own in the header, and
    controls of the run before may still be there: both go with the end of the run.
    """
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=LIMIT_MS)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=LIMIT_MS)
    page.evaluate(RESTED, LIMIT_MS)
