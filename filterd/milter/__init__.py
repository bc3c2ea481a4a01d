"""The milter wire protocol, versions 2 to 6, as values. No I/O; no opinion about what a failure is.

Packets (`packets`), the numbers (`constants`), negotiation, commands from the MTA, replies from the
filter, and the steps that can be negotiated away (`steps`). Source: sendmail 8.17
`include/libmilter/mfdef.h`, `libmilter/engine.c` and `sendmail/milter.c`.
"""
