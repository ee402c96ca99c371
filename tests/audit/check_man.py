#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""mandoc finds nothing to complain about in the manual pages (but that the other is not installed)."""
import shutil
import subprocess
import sys

if shutil.which("mandoc") is None:
    print("mandoc is not installed: the manual pages were not checked")
    sys.exit(77)
result = subprocess.run(["mandoc", "-T", "lint", *sys.argv[1:]], capture_output=True, text=True, check=False)
lines = [line for line in (result.stdout + result.stderr).splitlines()
         if "referenced manual not found: Xr focusd" not in line]
print("\n".join(lines))
sys.exit(1 if lines else 0)
