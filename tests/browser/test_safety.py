"""Text of every kind reaches the page as text, in strips, plots, lists and names."""

import pytest

pytestmark = pytest.mark.browser

HOSTILE = "<b>x</b><script>window.ran = true</script>&amp;<img src=x onerror='window.ran = true'>"
ODD = "مرحبا \x07\u200b\u202e$x$"


@pytest.mark.parametrize("view", ["text", "neuron"])
def test_markup_in_a_text_is_shown_and_never_run(page, view):
    page.open(view=view, text=HOSTILE, fresh=True)
    assert "".join(page.tokens) == HOSTILE.replace(" ", "·")
    assert page.driver.execute_script("return window.ran") is None
    assert page.all(".main b, .main script, .main img, .main svg a") == []
    assert page.one(".prompt-box").get_attribute("value") == HOSTILE


def test_markup_in_a_text_is_shown_in_the_labels_and_hovers_of_plots(page):
    page.open(text="<b>&amp;")
    labels = page.driver.execute_script(
        "return [...document.querySelectorAll('#text-heat [class*=tick] text')].map(label => label.textContent)"
    )
    assert set("<b>&amp;") <= set(labels)
    hovers = page.driver.execute_script(
        "return JSON.stringify(document.querySelector('#text-heat .js-plotly-plot').layout)"
    )
    assert "<b>&" not in hovers


def test_control_and_right_to_left_characters_are_visible_and_isolated(page):
    page.open(text=ODD)
    assert page.tokens[:5] == list("مرحبا")
    assert page.tokens[6:9] == ["␇", "⟨U+200B⟩", "⟨U+202E⟩"]
    isolated = page.driver.execute_script(
        "return [...document.querySelectorAll('.strip .token')].every(t => t.firstElementChild.tagName === 'BDI'"
        " && getComputedStyle(t.firstElementChild).unicodeBidi === 'isolate')"
    )
    assert isolated
    lefts = page.driver.execute_script(
        "return [...document.querySelectorAll('.strip .token')].slice(0, 5).map(t => t.getBoundingClientRect().left)"
    )
    assert lefts == sorted(lefts)


def test_a_model_by_a_hostile_name_is_only_a_name(page):
    page.open(model="<img src=x onerror='window.ran = true'>", ready=False)
    page.wait(lambda: page.notices, "a notice")
    assert "<img src=x" in page.notices[0]
    assert page.driver.execute_script("return window.ran") is None
    assert page.all(".notice img, .model-button img") == []


def test_no_store_of_the_page_holds_activations(page):
    page.open()
    stored = page.driver.execute_script(
        "const layout = window.store.getState(); return Object.entries(layout.paths.strs)"
        ".filter(([id]) => ['go', 'question', 'ready', 'view'].includes(id))"
        ".map(([, path]) => JSON.stringify(path.reduce((part, step) => part[step], layout.layout).props.data ?? null))"
    )
    assert len(stored) == 4
    assert max(map(len, stored)) < 300
