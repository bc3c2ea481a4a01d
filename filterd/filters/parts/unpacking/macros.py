"""Which macros start by themselves: the names that Office calls, where they are procedures.

The names are oletools' list. In a comment, in a text or as a part of another name they start
nothing. Source: MS-VBAL §3.3.1, §5.3.1.
"""

from __future__ import annotations

import re

# Texts and comments, so that neither begins within the other; a line may go on behind ` _`.
_NO_CODE = re.compile(
    r"\"[^\"\r\n]*+\"?|(?:'|(?m:^)[ \t]*+(?i:rem)\b)(?:[^\r\n_]|_(?![ \t]*+\r?\n)|_[ \t]*+\r?\n)*+"
)
_CONTINUED = re.compile(r"[ \t]_[ \t]*+\r?\n[ \t]*+")
_PROCEDURE = re.compile(r"(?i)\b(?:sub|function)[ \t]++(\w++)")
_MODULE = re.compile(r"(?im)^Attribute[ \t]++VB_Name[ \t]*+=[ \t]*+\"(\w++)\"")
# What a person does to a button or a field is not a start, and a form is shown by another macro.
_BY_HAND = re.compile(
    r"(?i)(?!ImageCombo)\w+_(?:Click|DblClick|Change)|UserForm\d*_\w+"
    r"|(?:CommandButton|TextBox|ComboBox|ListBox|CheckBox|OptionButton|ToggleButton)\d*_LostFocus"
)


def procedures(code: str) -> str:
    """The names of the procedures and of the module, a line each: Word starts the `Main` of a
    module that has a name of its own accord, too."""
    text = _CONTINUED.sub(" ", _NO_CODE.sub("", code))
    return "\n".join([*_MODULE.findall(code), *_PROCEDURE.findall(text)])


def is_start(keyword: str) -> bool:
    """True if a procedure of that name starts without anybody's doing."""
    return _BY_HAND.fullmatch(keyword) is None
