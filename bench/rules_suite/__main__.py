"""`python -m bench.rules_suite`: see the package."""

from __future__ import annotations

import sys

from bench.rules_suite.run import main

sys.exit(main(sys.argv[1:]))
