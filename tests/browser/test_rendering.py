"""What an answer costs the browser."""

import pytest

pytestmark = pytest.mark.browser

COUNT = """
let before = null;
window.told = 0;
window.forget = window.store.subscribe(() => {
    const now = window.store.getState().layoutHashes;
    if (now !== before) window.told++;
    before = now;
});
"""
COMPONENTS = """
const within = (it) => Object.values(it).filter(part => part && typeof part === 'object');
const count = (it) => (it.type && it.props ? 1 : 0) + within(it).reduce((sum, part) => sum + count(part), 0);
return count(window.store.getState().layout);
"""


def test_components_that_an_answer_brings_are_told_of_together(page):
    page.open(text="a")
    before = page.driver.execute_script(COMPONENTS)
    page.driver.execute_script(COUNT)
    page.open(text="so" * 75)
    told = page.driver.execute_script("window.forget(); return window.told")
    brought = page.driver.execute_script(COMPONENTS) - before
    assert len(page.tokens) == 150 < brought
    assert told < brought / 2, f"the page was told {told} times of {brought} components"
