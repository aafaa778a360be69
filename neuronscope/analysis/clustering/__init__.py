"""Clusters: groups of neurons that are active together. `grouping` finds them, `clusters` says what was found."""

from neuronscope.analysis.clustering.clusters import LEFT_OUT, Clusters
from neuronscope.analysis.clustering.grouping import METHODS, UNASSIGNED, Curve, Grouping, cluster
from neuronscope.analysis.clustering.profile import Profile, profile

__all__ = ["LEFT_OUT", "METHODS", "UNASSIGNED", "Clusters", "Curve", "Grouping", "Profile", "cluster", "profile"]
