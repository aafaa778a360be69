"""The views, one page per file. To add one: a module like the others, and its name in `VIEWS`.

A view has a `NAME` (in the address), a `TITLE` and an `ICON` (on the rail), the `QUESTION` it answers, a
`layout(selection, model)` and a `register(app, workspace)`.
"""

import neuronscope.app.views.atlas as atlas
import neuronscope.app.views.drift as drift
import neuronscope.app.views.models as models
import neuronscope.app.views.neuron as neuron
import neuronscope.app.views.polysemantic as polysemantic
import neuronscope.app.views.search as search
import neuronscope.app.views.text as text

VIEWS = (text, neuron, search, atlas, polysemantic, drift, models)
