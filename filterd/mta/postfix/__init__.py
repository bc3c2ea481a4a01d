"""The MTA as Postfix 3.7: replies, macros, header list, milter client, queue ids, log lines.

`personality` puts them together. Programs and functions of Postfix's sources are named where ours
follow them.
"""
