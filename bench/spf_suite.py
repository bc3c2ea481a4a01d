"""The SPF test suite of the SPF community (YAML, `test/rfc7208-tests.yml` of sdgathman/pyspf, and
the same by topic in mail-auth's `resources/spf/`), run through `check_spf`.

    python -m bench.spf_suite FILE.yml ...

Prints what differs and how many of the cases pass; its status is 1 where one does not.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.helpers.spf_suite import cases


def main(files: list[str]) -> int:
    """Run the files; the exit status."""
    passed = failed = 0
    for file in files:
        for case in cases(Path(file)):
            wrong = case.differs()
            if wrong:
                failed += 1
                print(f"{file}: {case.name}: {wrong}")
            else:
                passed += 1
    print(f"{passed} of {passed + failed} cases pass")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
