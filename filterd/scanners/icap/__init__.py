"""ICAP: a small client of our own, and a server of it as a scanner."""
