"""DKIM2: every host on the way signs the message with its envelope, and says how it changed it.

Source: draft-ietf-dkim-dkim2-spec-06 (August 2026), called "the draft" here. Later drafts change
it: what they sign may not verify here.
"""
