"""Training and measuring models. No worker imports this."""
