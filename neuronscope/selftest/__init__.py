"""The program's own proof: what it reports about models whose truth is known, on this machine, without a network.

The truth is a GPT-2 built by hand (`neuronscope.demo.planted`), a small Llama with random weights whose values are
worked out again from its modules, and the demo models run by transformers alone. Every question is asked as a person
would ask it, through a Scope. `CHECKS` lists the claims; to add one, write a function and name it there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from neuronscope.jobs import track
from neuronscope.selftest.bench import Bench, Check, Report, bench
from neuronscope.selftest.drifting import drift_is_one_minus_concordance, only_changed_neurons_drift
from neuronscope.selftest.explaining import (
    biases_hold_the_norms_share,
    direct_effects_and_the_rest_make_the_logit,
    the_promoting_neuron_decides_the_prediction,
    weights_tell_what_neurons_read,
    weights_tell_what_neurons_write,
)
from neuronscope.selftest.grouping import (
    copies_are_alike_and_stand_together,
    correlations_are_those_of_all_activations,
    principal_components_are_exact,
    senses_are_as_many_as_were_planted,
    silent_and_steady_neurons_are_not_scored,
)
from neuronscope.selftest.indexing import (
    a_dead_neuron_is_said_to_be_dead,
    moments_of_an_index_are_those_of_every_activation,
    reverse_queries_find_what_was_planted,
    strongest_contexts_are_the_strongest_of_all,
)
from neuronscope.selftest.reading import (
    attention_reads_the_word_before,
    demo_models_are_read_as_transformers_runs_them,
    first_token_and_special_ones_do_not_count,
    gate_and_up_are_what_the_projections_give,
    gated_neurons_are_gate_times_up,
    planted_neurons_fire_by_their_rules,
    pre_activations_are_as_built,
    statistics_are_those_of_the_kept_tokens,
    texts_are_the_same_alone_and_together,
)

__all__ = ["CHECKS", "Bench", "Check", "CheckFunction", "Report", "run"]

CheckFunction = Callable[[Bench], Check]

CHECKS: tuple[CheckFunction, ...] = (
    planted_neurons_fire_by_their_rules,
    pre_activations_are_as_built,
    attention_reads_the_word_before,
    first_token_and_special_ones_do_not_count,
    statistics_are_those_of_the_kept_tokens,
    texts_are_the_same_alone_and_together,
    gate_and_up_are_what_the_projections_give,
    gated_neurons_are_gate_times_up,
    weights_tell_what_neurons_read,
    weights_tell_what_neurons_write,
    biases_hold_the_norms_share,
    direct_effects_and_the_rest_make_the_logit,
    the_promoting_neuron_decides_the_prediction,
    moments_of_an_index_are_those_of_every_activation,
    strongest_contexts_are_the_strongest_of_all,
    reverse_queries_find_what_was_planted,
    a_dead_neuron_is_said_to_be_dead,
    correlations_are_those_of_all_activations,
    principal_components_are_exact,
    copies_are_alike_and_stand_together,
    senses_are_as_many_as_were_planted,
    silent_and_steady_neurons_are_not_scored,
    only_changed_neurons_drift,
    drift_is_one_minus_concordance,
    demo_models_are_read_as_transformers_runs_them,
)
"""Every claim that is put to the test, in the order it is reported."""


def run(checks: Sequence[CheckFunction] | None = None) -> Report:
    """Put `checks` to the test, all of `CHECKS` by default.

    It takes a few seconds, needs no network and leaves nothing behind.
    """
    started = time.monotonic()
    with bench() as models:
        done = tuple(check(models) for check in track(CHECKS if checks is None else checks, label="Checking"))
    return Report(done, time.monotonic() - started)
