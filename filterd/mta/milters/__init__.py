"""The MTA as a milter client: connection, replies of filters, edits, macros."""
