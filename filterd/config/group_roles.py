"""Roles by group, for logins that another server decides on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from filterd.message.address import checked_domains
from filterd.system.mistakes import Mistakes

GroupRole = Literal["admin", "reviewer", "helpdesk", "auditor", "user"]


def check_role_domains(wrong: Mistakes, role: GroupRole, domains: Sequence[str]) -> None:
    """Note what is wrong with the domains to which a group's role is limited."""
    for index, domain in enumerate(domains):
        with wrong.at("domains", index):
            checked_domains([domain])
    with wrong.at("domains"):
        if role == "reviewer" and not domains:
            raise ValueError("a reviewer would see nothing; expected its domains")
        if domains and role not in ("reviewer", "helpdesk"):
            raise ValueError("limits are for the roles reviewer and helpdesk")
