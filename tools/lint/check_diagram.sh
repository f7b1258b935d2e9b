#!/usr/bin/env bash
# The layer diagram of ARCHITECTURE.md is the one that the DEPENDS lines give; `make docs` mends it.
set -euo pipefail
exec "$(dirname "$0")/../gen-layers" --check
