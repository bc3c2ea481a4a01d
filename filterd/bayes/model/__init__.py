"""The model: text, tokens, scores, and its file. May be loaded in a worker."""
