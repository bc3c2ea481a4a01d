"""Small facts with an expiry that several processes and hosts share: triplets of greylisting,
counters of rates, recipients that were asked for. In SQLite by default, by URL in PostgreSQL, Redis
or Valkey.

A lost fact is not lost mail: who needs one and cannot have it raises, and the filter's `on_error`
says what becomes of the message.
"""
