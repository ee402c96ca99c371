# SPDX-License-Identifier: MIT
"""Every Python file of the tree can be compiled: a test file that cannot is not collected, and its tests are
missed by nobody until the whole suite runs."""
import pathlib
import sys


def faults(root):
    found = []
    for path in sorted(root.rglob("*.py")):
        if any(part.startswith((".", "build")) for part in path.relative_to(root).parts):
            continue
        try:
            compile(path.read_bytes(), str(path), "exec")
        except (SyntaxError, ValueError) as fault:
            found.append(f"{path}: {fault}")
    return found


def self_test():
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "good.py").write_text("def f():\n    return 1\n", encoding="utf-8")
        assert faults(root) == []
        (root / "bad.py").write_text("def f():\n        a = 1\n    return a\n", encoding="utf-8")
        assert len(faults(root)) == 1 and "bad.py" in faults(root)[0]


if __name__ == "__main__":
    if sys.argv[1] == "--self-test":
        self_test()
        sys.exit(0)
    bad = faults(pathlib.Path(sys.argv[1]))
    print("\n".join(bad))
    sys.exit(1 if bad else 0)
