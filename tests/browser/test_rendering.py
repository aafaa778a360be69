"""What an answer costs the browser."""

import pytest
from selenium.webdriver.support.ui import Select

pytestmark = pytest.mark.browser

COUNT = """
window.told = 0;
window.forget = window.store.subscribe(() => window.told++);
"""
COMPONENTS = """
const within = (it) => Object.values(it).filter(part => part && typeof part === 'object');
const count = (it) => (it.type && it.props ? 1 : 0) + within(it).reduce((sum, part) => sum + count(part), 0);
return count(window.store.getState().layout);
"""


def test_components_are_told_together_of_what_an_answer_brings(page):
    page.open(text="a")
    before = page.driver.execute_script(COMPONENTS)
    page.driver.execute_script(COUNT)
    page.open(text="so" * 75)
    told = page.driver.execute_script("window.forget(); return window.told")
    brought = page.driver.execute_script(COMPONENTS) - before
    assert len(page.tokens) == 150 < brought
    assert 0 < told < brought / 2, f"the page was told {told} times of {brought} components"


def test_what_is_chosen_stands_in_its_control_when_the_page_looks_there(page):
    page.open(text="a cat")
    Select(page.one("[id*='site']")).select_by_value("residual")
    page.wait(lambda: page.query.get("site") == "residual", "the address")


LATE = """
const { figure } = dash_component_api.getLayout('text-heat').props;
const late = { ...figure, layout: { ...figure.layout, meta: { ...figure.layout.meta, late: true }, shapes: [] } };
dash_clientside.set_props('text-heat', { figure: late });
dash_clientside.plots.outline({ 'text-heat': arguments[0] });
"""


def test_an_outline_that_moves_as_another_figure_arrives_leaves_the_figure_and_is_in_it(page):
    page.open(text="a cat", position=2)
    outlines = page.figure("text-heat", "layout.shapes")
    assert len(outlines) == 1
    outlines[0]["y0"] -= 1
    page.driver.execute_script(LATE, outlines)
    page.wait(lambda: page.figure("text-heat", "layout.meta.late"), "the figure")
    page.wait(lambda: page.figure("text-heat", "layout.shapes") == outlines, "the outline")
    assert page.settled().figure("text-heat", "layout.meta.late")
