"""The site's models: the folder, the journal of learned messages, learning and taking back."""
