"""The look: colours that everyone can tell apart, and token text that can neither hide nor act."""

from __future__ import annotations

import html
import re
import subprocess
import sys

import numpy as np
import plotly.io
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuronscope.figures import theme
from neuronscope.figures.theme import DARK, LIGHT, Mode, Palette, template, visible
from tests.figures.texts import HOSTILE

DICHROMACY = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""What is seen with one kind of cone missing, in linear RGB: Machado, Oliveira and Fernandes 2009, severity 1."""

BOTH = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])


def lab(colour: str, matrix: list[list[float]] | None = None) -> np.ndarray:
    """CIE L*a*b* (D65) of a hex colour, as seen through `matrix`."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    if matrix is not None:
        linear = np.clip(np.array(matrix) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ linear / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@BOTH
def test_zero_is_the_colour_of_the_paper(palette: Palette) -> None:
    assert dict(palette.diverging)[0.5] == palette.paper
    assert palette.sequential[0] == (0.0, palette.paper)


@BOTH
def test_equal_magnitudes_of_both_signs_look_equally_strong(palette: Palette) -> None:
    for blue, orange in zip(palette.blues, palette.oranges, strict=True):
        assert abs(lab(blue)[0] - lab(orange)[0]) < 6


@BOTH
def test_every_scale_grows_steadily_away_from_paper(palette: Palette) -> None:
    for arm in (palette.blues, palette.oranges, palette.teals):
        steps = np.diff([lab(colour)[0] for colour in (palette.paper, *arm)])
        assert (np.sign(steps) == np.sign(steps[0])).all()
        assert np.abs(steps).min() > 4


@BOTH
@pytest.mark.parametrize("kind", DICHROMACY)
def test_the_signs_stay_apart_without_one_kind_of_cone(palette: Palette, kind: str) -> None:
    distances = [
        np.linalg.norm(lab(blue, DICHROMACY[kind]) - lab(orange, DICHROMACY[kind]))
        for blue, orange in zip(palette.blues, palette.oranges, strict=True)
    ]
    # 2.3 is a just noticeable difference; the weakest pair is nearly paper by design.
    assert min(distances) > 15


@BOTH
@pytest.mark.parametrize("name", ["ink", "muted"])
def test_words_stand_out_from_the_paper(palette: Palette, name: str) -> None:
    def luminance(colour: str) -> float:
        return float(((lab(colour)[0] + 16) / 116) ** 3)

    bright, dark = sorted((luminance(getattr(palette, name)), luminance(palette.paper)), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_template_is_transparent_and_not_registered(mode: Mode) -> None:
    before = set(plotly.io.templates)
    made = template(mode)
    assert made.layout.paper_bgcolor == made.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert "system-ui" in made.layout.font.family
    assert set(plotly.io.templates) == before


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>", "&lt;b&gt;"),
        ("&amp;", "&amp;amp;"),
        ("", "∅"),
        (" the", "·the"),
        ("\n", "↵"),
        ("\t", "⇥"),
        ("\x00", "␀"),
        ("\x7f", "␡"),
        ("\u200b", "⟨U+200B⟩"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\u3000", "⟨U+3000⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("\u0301", "◌\u0301"),
        ("$x$", "&#36;x&#36;"),
        ("שלום", "\u2068שלום\u2069"),
        ("plain", "plain"),
    ],
)
def test_what_cannot_be_seen_is_shown_and_what_would_act_is_not_run(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_no_text_leaves_markup_mathematics_or_blanks(text: str) -> None:
    shown = visible(text)
    assert not re.search(r"[<>$\s]|&(?!amp;|lt;|gt;|#36;)", shown)
    assert html.unescape(shown).strip("\u2068\u2069")


@given(st.text(), st.integers(2, 30))
def test_a_shortened_token_is_no_wider_than_it_may_be_and_says_so(text: str, limit: int) -> None:
    short, whole = visible(text, limit), visible(text)
    assert theme.visible_width(short) <= max(limit, 1) + 2  # the two isolates of right-to-left text have no width
    assert short == whole or "…" in short


def test_different_hostile_tokens_stay_different() -> None:
    assert len({visible(token) for token in HOSTILE}) == len(set(HOSTILE))


def test_naming_the_figures_does_not_import_plotly() -> None:
    code = "import sys, neuronscope.figures as f; dir(f); sys.exit('plotly' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
