"""Eval tests: what SpamAssassin's plugins look for in code, a module a plugin."""
