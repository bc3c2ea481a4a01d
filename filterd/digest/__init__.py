"""Digests: mail that tells each recipient what is held for them, with links that release it."""
