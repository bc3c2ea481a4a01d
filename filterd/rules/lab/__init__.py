"""Rules measured on labelled mail, and scores made of that."""
