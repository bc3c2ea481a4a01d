"""The reference MTA as sendmail 8.17: replies, macros, header list, milter client, queue ids.

`personality` puts them together, `site` does it for what a sendmail.cf says, and `router` resolves
addresses as its stock rules do. Functions of sendmail's sources are named where ours follow them.
"""
