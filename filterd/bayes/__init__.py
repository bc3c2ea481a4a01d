"""The classifier in three rooms: the model, the models of the site, and the laboratory."""
