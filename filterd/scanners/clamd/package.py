"""The package `clamd`, imported without what it does not need.

It asks pkg_resources for its own version, which takes a fifth of a second and some megabytes in
every process where setuptools still has that, and does without where it cannot be imported.
"""

from __future__ import annotations

import sys

_absent = "pkg_resources" not in sys.modules
if _absent:
    sys.modules["pkg_resources"] = None  # type: ignore[assignment]
try:
    import clamd
finally:
    if _absent:
        del sys.modules["pkg_resources"]

__all__ = ["clamd"]
