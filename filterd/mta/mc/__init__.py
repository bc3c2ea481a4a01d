"""sendmail.mc: the text that m4 makes a sendmail.cf of.

`scan` reads the text as m4 does, `run` runs m4 with its limits, `build` puts both together: the
sendmail.cf, where each of its lines comes from, and what is wrong, by line of the mc. `knowledge`
has what the directives mean.
"""
