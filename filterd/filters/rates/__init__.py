"""Rates: how much mail a client, user, sender, recipient or domain may send or get."""
