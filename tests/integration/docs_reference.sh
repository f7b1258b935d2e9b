#!/usr/bin/env bash
# The committed reference pages are those that the tables in the code give.
set -euo pipefail
"$TARN_SOURCE/tools/gen-docs" --check
