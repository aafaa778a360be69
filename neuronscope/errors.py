"""Everything a person may be told, as one tree.

    NeuronScopeError
    ├── ModelError              a model that cannot be had or used
    │   ├── ModelNotFound       no such folder, hub name or demo model
    │   ├── UnsupportedModel    an architecture, tokenizer or file we do not read
    │   ├── CannotDownload      permission, the network or the disk keeps it on the hub
    │   └── ModelDoesNotFit     it would not fit in the memory that is free
    ├── InputError              a question that cannot be answered as it was asked
    │   ├── EmptyText           there is no token to run
    │   ├── TextTooLong         more tokens than the model's context holds
    │   ├── NoSuchLayer         a layer the model does not have
    │   ├── NoSuchNeuron        a neuron the layer does not have, or a name that is not one
    │   ├── NoSuchSite          a place in the network that this model does not have
    │   ├── NotOfSeries         a checkpoint that cannot be compared with its base
    │   └── NoSuchToken         a token position that the text does not have
    ├── IndexProblem            an index that cannot be opened, continued or trusted
    │   ├── NoIndex             no index in this folder, or not yet one that can be read
    │   ├── OtherIndex          it was made from another model, precision, tokenizer or corpus
    │   ├── BusyIndex           another process is building it
    │   └── DamagedIndex        its files are not what its manifest says
    ├── DriftProblem            a drift that cannot be opened, continued or trusted
    ├── FileError               a file that cannot be read, or must not be written
    ├── CannotServe             an address at which no page can be served
    ├── Refused                 something this server does not do, for safety
    └── SelfTestFailed          the program's own proof does not hold on this machine

The library raises these, the terminal prints one line and exits 1, the page shows one notice. Their text says what was
asked, what is true and what to do. Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations


class NeuronScopeError(Exception):
    """The root of everything a person may be told."""


class ModelError(NeuronScopeError):
    """A model that cannot be had or used."""


class ModelNotFound(ModelError):
    """No such folder, hub name or demo model."""


class UnsupportedModel(ModelError):
    """An architecture, tokenizer or weight file that NeuronScope does not read."""


class CannotDownload(ModelError):
    """A model on the hub that permission, the network, the disk or a damaged file keeps there."""


class ModelDoesNotFit(ModelError):
    """The model would not fit in the memory that is free."""


class InputError(NeuronScopeError):
    """A question that cannot be answered as it was asked."""


class EmptyText(InputError):
    """There is no token to run."""


class TextTooLong(InputError):
    """The text has more tokens than the model's context holds."""


class NoSuchLayer(InputError):
    """A layer the model does not have."""

    @classmethod
    def among(cls, layer: int, name: str, layers: int) -> NoSuchLayer:
        """Build the error for `layer` of a model called `name` with `layers` layers."""
        return cls(f"No layer {layer} in {name}: it has layers 0 to {layers - 1}.")


class NoSuchNeuron(InputError):
    """A neuron the layer does not have, or a name that is not a neuron's."""


class NoSuchSite(InputError):
    """A place in the network that this model does not have."""


class NoSuchToken(InputError):
    """A token position that the text does not have."""


class NotOfSeries(InputError):
    """A checkpoint whose layers, neurons or tokens are not those of its base."""


class DriftProblem(NeuronScopeError):
    """The results of a drift that cannot be opened, continued or trusted."""


class IndexProblem(NeuronScopeError):
    """An index that cannot be opened, continued or trusted."""


class NoIndex(IndexProblem):
    """There is no index in this folder, or not yet one that can be read."""


class OtherIndex(IndexProblem):
    """The index was made from another model, precision, tokenizer or corpus."""


class BusyIndex(IndexProblem):
    """Another process is building this index."""


class DamagedIndex(IndexProblem):
    """The index's files are not what its manifest says."""


class FileError(NeuronScopeError):
    """A file that cannot be read, or must not be written."""


class CannotServe(NeuronScopeError):
    """An address at which no page can be served."""


class Refused(NeuronScopeError):
    """Something this server does not do, for safety."""


class SelfTestFailed(NeuronScopeError):
    """The program's own proof does not hold on this machine."""
