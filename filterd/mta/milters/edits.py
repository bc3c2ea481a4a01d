"""Apply a filter's edits to a draft.

Sources: sendmail 8.17 `milter.c` (milter_addheader … milter_replbody), Postfix 3.7
`cleanup_milter.c`; the two count and compare differently, see their `header` and `envelope_edits`.
"""

from __future__ import annotations

from filterd.milter import replies
from filterd.mta.mail.draft import Draft
from filterd.mta.milters.envelope_edits import EnvelopeEdits, shown


def apply(edit: replies.Edit, draft: Draft, *, verbatim: bool, envelope: EnvelopeEdits) -> str:
    """Change the draft; return what was done, for the log, or why it was not.

    The body is not handled here, it comes in chunks. verbatim: HDR_LEADSPC is in force.
    """
    match edit:
        case replies.AddHeader(name, value):
            draft.header.add(name, value, verbatim=verbatim)
            return f"add header {shown(name)}"
        case replies.InsertHeader(index, name, value):
            draft.header.insert(index, name, value, verbatim=verbatim)
            return f"insert header {shown(name)} at {index}"
        case replies.ChangeHeader(index, name, value):
            draft.header.change(index, name, value, verbatim=verbatim)
            return f"{'change' if value else 'delete'} header {shown(name)} {index}"
        case replies.Quarantine(reason):
            draft.quarantine = shown(reason)
            draft.macros["{quarantine}"] = draft.quarantine
            return f"quarantine: {draft.quarantine}"
        case replies.AddRecipient(address, parameters):
            return envelope.add(draft, address, parameters)
        case replies.DeleteRecipient(address):
            return envelope.delete(draft, address)
        case replies.ChangeSender(address, parameters):
            return envelope.change_sender(draft, address, parameters)
    return "nothing"
