"""The views, one page per file. To add one: a module like the others, and its name in `VIEWS`.

A view has a `NAME` (in the address), a `TITLE` and an `ICON` (on the rail), the `QUESTION` it answers, a
`layout(selection, model)` and a `register(app, workspace)`.
"""

from neuronscope.app.views import neuron, text

VIEWS = (text, neuron)
