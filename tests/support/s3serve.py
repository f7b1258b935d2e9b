#!/usr/bin/env python3
"""Runs a program against an S3 door of its own: s3serve.py PROGRAM [ARGUMENT…], with endpoint, access key and secret
behind its arguments."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tarn import Server  # noqa: E402


def main():
    with Server() as server:
        with open(os.path.join(server.data, "secrets/root.s3"), encoding="utf-8") as file:
            keys = file.read().split()
        code = subprocess.run([*sys.argv[1:], "http://" + server.s3, *keys], check=False).returncode
    sys.exit(code)


main()
