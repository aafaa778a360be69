"""Arrays in, a result out: one question per file; no model, no page."""
