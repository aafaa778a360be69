"""A corpus is indexed from the page, a neuron's examples are seen, and the back button leads back."""

import pytest

pytestmark = pytest.mark.browser
CORPUS = "the red ball is in the old box. the dog ran to the cat. " * 30


def test_a_pasted_corpus_is_indexed_and_a_neuron_shows_its_examples(page):
    page.open(view="neuron", layer=1, neuron=4)
    assert page.one("#index-head h2").text == "Index a corpus"
    page.driver.execute_script("document.querySelectorAll('#index-kind input')[1].click()")
    page.settled()
    page.driver.execute_script("dash_clientside.set_props('index-pasted', {value: arguments[0]})", CORPUS)
    page.press("#index-build")
    page.wait(lambda: page.all("#neuron-examples .example"), "the examples")
    page.settled()
    assert "tokens" in page.one("#index-head .caption").text
    assert page.one("#neuron-histogram-head h2, #neuron-histogram-head").text.startswith("L1.N4 over the corpus")
    first = page.one("#neuron-examples .example")
    first.find_element("css selector", "summary").click()
    assert "pasted-" in first.find_element("css selector", ".caption").text
    page.press("#neuron-kin .unit-row")
    there = page.one(".neuron-name").text
    assert there != "L1.N4"
    page.driver.back()
    page.settled()
    assert page.one(".neuron-name").text == "L1.N4"
    assert page.notices == []
