"""Having a model: which there are, loading one, keeping a few warm, and what they cost."""
