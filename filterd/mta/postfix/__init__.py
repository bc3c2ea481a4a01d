"""The reference MTA as Postfix 3.7: replies, macros, header list, milter client, queue ids.

`personality` puts them together.
"""
