#!/usr/bin/env python3
"""Flips bits of a proof, one at a time, and fails if the second verifier accepts any of what comes out.

    flips.py PROOF EVERY
"""

import pathlib
import sys

from verify import Refuted, verify

whole = pathlib.Path(sys.argv[1]).read_bytes()
verify(whole.decode(), None, None)
tried = 0
for bit in range(0, len(whole) * 8, int(sys.argv[2])):
    flipped = bytearray(whole)
    flipped[bit // 8] ^= 1 << bit % 8
    tried += 1
    try:
        verify(bytes(flipped).decode(), None, None)
    except (Refuted, UnicodeDecodeError):
        continue
    sys.exit(f"bit {bit} may be flipped")
print(f"{tried} flips, none accepted")
