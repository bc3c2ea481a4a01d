"""What runs of one configuration: rulesets, macros, classes, mailers, and how text is cut."""

from __future__ import annotations

from dataclasses import dataclass, field

from filterd.mta.cf.classes import Classes
from filterd.mta.cf.definitions import Definitions
from filterd.mta.cf.mailers import Mailers
from filterd.mta.cf.marks import Names
from filterd.mta.cf.rulesets import Rulesets
from filterd.mta.cf.tokens import TokenTables


@dataclass(frozen=True, slots=True)
class HeaderCheck:
    """The ruleset for a header field. strips_comments: `$>`, not `$>+`."""

    ruleset: str
    strips_comments: bool


@dataclass(slots=True)
class Program:
    """Filled while a file is read; only macros and classes change afterwards.

    level: of the V line. colon_in_addresses, must_quote: the options ColonOkInAddr and
    MustQuoteChars. header_checks: by name of the field in lower case, `*` for all others.
    """

    names: Names = field(default_factory=Names)
    definitions: Definitions = field(init=False)
    classes: Classes = field(default_factory=Classes)
    rulesets: Rulesets = field(default_factory=Rulesets)
    tables: TokenTables = field(default_factory=TokenTables.of)
    mailers: Mailers = field(default_factory=Mailers)
    level: int = 0
    colon_in_addresses: bool = True
    must_quote: str = "@,;:\\()[].'"
    header_checks: dict[str, HeaderCheck] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.definitions = Definitions(self.names)
