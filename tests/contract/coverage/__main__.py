"""`python -m tests.contract.coverage [--write]`: prints the report; `--write` puts it into docs/venues/coverage.md."""

from __future__ import annotations

import sys

from tests.contract.coverage.report import PAGE, page, present, shapes
from tests.contract.coverage.shapes import RECORDED


def main(arguments: list[str]) -> int:
    if absent := [one.venue for one in shapes() if not present(one)]:
        print(
            f"No recorded payloads of {', '.join(absent)} at {RECORDED}: nothing was compared and nothing was written. "
            "They are not part of the project; put them there and run this again."
        )
        return 1
    text = page()
    print(text)
    if arguments == ["--write"]:
        PAGE.write_text(text)
        print(f"written to {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
