"""Accepted mail until it is delivered: the spool on disk, the attempts, reports to the sender.

A client hears 250 only when its message is durable here.
"""
