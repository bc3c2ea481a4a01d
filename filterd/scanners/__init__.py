"""Virus scanners: one protocol, and below it clamd, ICAP, commands, hash lists; several hosts of
one."""
