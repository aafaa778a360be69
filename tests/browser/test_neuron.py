"""The Neuron view in a real browser."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser


def test_a_neuron_is_walked_through_with_buttons_and_keys(page):
    page.open(view="neuron", layer=1, neuron=0)
    assert page.one(".neuron-name").text == "L1.N0"
    page.press("[data-key='ArrowLeft']")
    assert page.one(".neuron-name").text == "L1.N699"
    page.keys(Keys.ARROW_RIGHT)
    assert page.one(".neuron-name").text == "L1.N0"
    page.keys(Keys.ARROW_UP)
    assert page.query == {"view": "neuron", "layer": "2", "neuron": "0"}
    seen = {page.one(".neuron-name").text}
    for _ in range(3):
        page.keys("r")
        seen.add(page.one(".neuron-name").text)
    assert len(seen) > 1


def test_the_marker_of_the_histogram_follows_the_token_under_the_mouse(page):
    page.open(view="neuron", layer=1, neuron=4, position=3)
    tokens = page.all("#neuron-strip .token")
    assert page.figure("neuron-histogram", "layout.shapes[0].x0") == pytest.approx(value_of(tokens[3]), rel=1e-4)
    ActionChains(page.driver).move_to_element(tokens[6]).perform()
    wanted = pytest.approx(value_of(tokens[6]), rel=1e-4)
    page.wait(lambda: page.figure("neuron-histogram", "layout.shapes[0].x0") == wanted, "the marker")
    assert page.figure("neuron-histogram", "layout.annotations[0].x") == wanted


def test_a_text_of_ones_own_keeps_the_neuron(page):
    page.open(view="neuron", layer=0, neuron=7)
    page.write("cats and dogs")
    assert page.query == {"view": "neuron", "layer": "0", "neuron": "7", "text": "cats and dogs"}
    assert "".join(page.tokens) == "cats·and·dogs"
    assert page.one("#neuron-strip h2").text == "L0.N7 on your text"


def test_the_text_view_is_coloured_by_the_neuron_one_comes_from(page):
    page.open(view="neuron", layer=1, neuron=4)
    page.press("a.view")
    page.press('[data-go=\'{"colour": "neuron"}\']')
    assert page.query == {"layer": "1", "neuron": "4", "colour": "neuron"}
    assert page.one(".tokens .unit").text == "activation of L1.N4"


def test_a_gated_neuron_shows_what_its_gate_reads(page):
    page.open(view="neuron", model="gated", layer=1, neuron=4)
    titles = [title.text for title in page.all(".weights-part > h3")]
    assert titles == ["Gate reads", "Reads through up", "Writes"]
    assert "direct path only" in page.one(".weights").text
    assert len(page.all("#neuron-inputs .strip")) == 2


def value_of(token):
    """The activation that a token carries."""
    return float(token.get_attribute("data-value"))
