"""From the address to the scope: what every callback of a view does first."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from dash.exceptions import PreventUpdate

from neuronscope.app.selection import Selection
from neuronscope.demo import DEMOS
from neuronscope.errors import InputError
from neuronscope.vocabulary import Activations, ModelCard

if TYPE_CHECKING:
    from neuronscope.app.readings import Readings
    from neuronscope.indexed import Index
    from neuronscope.scope import Scope, Workspace


class Frame:
    """The ids that the frame and the views share."""

    URL = "url"
    """The address."""
    VIEW = "view"
    """The view that is open."""
    GO = "go"
    """Changes to the selection that something on the page asks for."""
    QUESTION = "question"
    """What has been asked that needs the model."""
    READY = "ready"
    """The question that has been prepared: what the views may draw."""
    THEME = "neuronscope-theme"
    """`light` or `dark`."""
    NOTICES = "notices"
    """Where notices are added."""
    DOWNLOAD = "download"
    """What sends a file to the visitor."""
    INDEX = "index"
    """Which model's index there is and how far it has come: it changes when they do. See `indexing`."""
    WARM = "warm"
    """The models in memory, by name and precision: it changes when they do."""
    SIZES = "sizes"
    """Whether it has been worked out what the catalogue's models take."""


class Question(TypedDict):
    """A key of what has been asked, or of what has been prepared: never the answer itself."""

    key: str
    """The selection's `question`."""
    model: str
    """The model it is asked of."""
    precision: str
    """The precision asked for."""


class Answer(Question):
    """A question that has been prepared, with what the frame has to know of the model that was asked."""

    layers: int
    """How many layers it has."""
    held: str
    """How its weights are held, in words."""


_SAMPLES = (
    'Once upon a time there was a little girl named Lily. She said, "The red ball is in the old box."',
    "The capital of France is Paris, and the capital of Italy is Rome.",
    "My bank is by the river bank. She can open the can.",
    "Seven plus five is twelve; 7 + 5 = 12.",
    "def add(a, b):\n    return a + b",
)


def samples(model: str) -> tuple[str, ...]:
    """Texts to begin with: the demo model's own, or a few that show something in most models."""
    of, _, _ = model.partition("/")
    return next((demo.prompts for demo in DEMOS if demo.name == of), _SAMPLES)


def text_of(selection: Selection, model: str) -> str:
    """The text that is looked at: the visitor's, or the first sample."""
    return samples(model)[0] if selection.text is None else selection.text


def read(readings: Readings, workspace: Workspace, scope: Scope, selection: Selection, model: str) -> list[Activations]:
    """What is looked at: one text, or two to compare, the second of which another model may have read.

    Raises:
        InputError: if the other model has other layers, neurons or sites, so that nothing can be subtracted.
    """
    text = text_of(selection, model)
    second = text if selection.compare is None else selection.compare
    if not selection.against:
        texts = [text, *([second] if selection.compare is not None else [])]
        return readings.read(scope, texts, selection.site, selection.long)
    other = workspace.scope(selection.against, precision=scope.card.precision)
    own, theirs = ((card.layers, card.neurons, card.width, card.heads) for card in (scope.card, other.card))
    if own != theirs:
        raise InputError(
            f"{other.card.label} has {_sizes(other.card)} and {scope.card.label} {_sizes(scope.card)}: there is no "
            "difference to show. Compare a model with its own checkpoints."
        )
    first = readings.read(scope, [text], selection.site, selection.long)
    return first + readings.read(other, [second], selection.site, selection.long)


def _sizes(card: ModelCard) -> str:
    return f"{card.layers} layers of {card.neurons:,} neurons in a stream {card.width:,} wide"


def looked_at(texts: list[Activations], selection: Selection) -> Activations:
    """Of one or two texts that were read, the one that is looked at: the first, unless the second was chosen."""
    return texts[1] if selection.of_second and len(texts) == 2 else texts[0]


def asked(
    workspace: Workspace, view: str, search: str | None, ready: Answer | None, tab: str | None = None
) -> tuple[Scope, Selection]:
    """The scope and the selection, once what the address asks for has been prepared and `view` (and `tab`) is open.

    Otherwise the callback has nothing to do yet, and updates nothing.
    """
    selection = Selection.parse(search)
    if ready is None or ready["key"] != selection.question:
        raise PreventUpdate
    if selection.view != view or tab not in (None, selection.tab):
        raise PreventUpdate
    return workspace.scope(ready["model"], precision=ready["precision"]), selection


def indexed(
    workspace: Workspace, view: str, search: str | None, ready: Answer | None
) -> tuple[Scope, Selection, Index]:
    """The scope, the selection and the index, as `asked`; a callback has nothing to do where there is no index."""
    scope, selection = asked(workspace, view, search, ready)
    index = workspace.index_of(scope)
    if index is None:
        raise PreventUpdate
    return scope, selection, index
