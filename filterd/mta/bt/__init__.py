"""sendmail's address test mode (`sendmail -bt`): rules, addresses, maps and macros by hand.

Input, prompts and output are those of sendmail 8.17, octet by octet.
"""
