"""The reference MTA: SMTP server, milter client, queue and delivery, as sendmail or Postfix.

`server` is the whole MTA, `handler` one client, `transactions` its mail. What sendmail and Postfix
do differently is one value, a `Personality`, chosen by `flavours`. It meets filters over the milter
protocol only, and knows nothing of filterd's own.
"""
