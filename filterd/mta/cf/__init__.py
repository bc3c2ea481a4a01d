"""sendmail.cf: read as sendmail reads it, and turned into what the MTA needs.

`lines` joins continuation lines, `names` knows the options, `reader` parses every line into a
`SendmailCf`, `macros` expands `$x`, `router` resolves addresses with the classes, aliases and
mailers. R lines are parsed and kept, rule set by rule set; an interpreter of them has its place
beside `router`, which until then follows the stock rules: class w is local, the rest is relayed.
"""
