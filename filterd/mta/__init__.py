"""The reference MTA: SMTP server, milter client, queue and delivery with sendmail's semantics.

The wording and the state machines do no I/O (`smtp`, `wording`, `draft`, `header`); the edges are
`server`, `connection`, `filters`, `spool` and `delivery`. It meets a filter over the milter
protocol only, as a stranger would.
"""
