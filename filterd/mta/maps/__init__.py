"""Maps, sendmail's K lines: files, databases, name servers, programs, behind `mta/cf`'s `Map`.

`open_maps` has them all; each is opened when it is first asked.
"""
