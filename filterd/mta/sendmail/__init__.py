"""The MTA as sendmail 8.17: replies, macros, header list, milter client, queue ids, log lines.

`personality` puts them together; `cf_files` and `site` do it for a sendmail.cf, whose addresses
`router` resolves as the stock rules do. Functions of sendmail's sources are named where ours follow
them.
"""
