"""How much work a message may ask for.

A recipe copies nothing twice, so what is recreated of a body is not larger than the body and the
recipe together. A header may grow by the names of its fields, hence their number and length.
"""

from __future__ import annotations

from filterd.auth.dkim.limits import DkimLimits

SIGNATURES_LIMIT = 32
"""DKIM2-Signature fields, and hosts on the way."""

INSTANCES_LIMIT = 32
"""Message-Instance fields."""

SETS_LIMIT = 8
"""Signatures of one DKIM2-Signature field (s=), unknown algorithms included."""

KEYS_LIMIT = 48
"""Keys that are asked for; each is one question to the DNS."""

INSTANCE_SIZE_LIMIT = 262_144
"""Octets of one Message-Instance field. A recipe has the lines that a host took out."""

FIELDS_SIZE_LIMIT = 1_048_576
"""Octets of all these fields together."""

HEADER_FIELDS_LIMIT = 5000
"""Fields of a header, as it came and as it is recreated."""

FIELD_NAME_LIMIT = 256
"""Characters of a name in a recipe."""

RECREATED_SIZE_LIMIT = 67_108_864
"""Octets of bodies that are recreated, all hosts together."""

RECREATED_LINES_LIMIT = 2_000_000
"""Lines of bodies that are counted to recreate them, all hosts together."""

AGE_LIMIT = 14 * 86_400
"""Seconds for which a signature counts, the draft, section 11.3."""

FUTURE_LIMIT = 86_400
"""Seconds by which a signature may be of the future; clocks differ."""

KEYS = DkimLimits(most_bits=8192)
"""Keys that are accepted. The draft asks for 1024 to 2048 bits and allows more."""
