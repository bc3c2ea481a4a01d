"""The message as a value: envelope, header fields, MIME tree with byte offsets. No I/O.

Bytes go in, values come out. Nothing in this room raises on what a message contains.
"""

from filterd.message.entity import Entity
from filterd.message.envelope import Client, Envelope, Recipient
from filterd.message.fields import HeaderField
from filterd.message.message import Message
from filterd.message.reading import Reading

__all__ = ["Client", "Entity", "Envelope", "HeaderField", "Message", "Reading", "Recipient"]
