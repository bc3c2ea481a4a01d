"""What rules of a sendmail.cf make of addresses, step by step, as plain values: for the command
line, and for pages of text that strangers gave, which is read in a process of its own without
files, programs and network."""
