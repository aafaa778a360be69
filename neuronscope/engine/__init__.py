"""Running a model: its activations on a text, and what its weights read and write."""
