"""The server's side of SMTP (RFC 5321), without I/O: octets in, events out, replies back in.

`commands` reads what the client sends, `session` settles each event with an answer of the filters
or a refusal of the server, `data` finds the end of a message, `sasl` is AUTH. The texts of the
replies are an MTA's own: `replies` says which ones there are.
"""
