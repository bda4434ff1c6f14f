#!/usr/bin/env bash
# Measures TokenHMR on this machine's NVIDIA card, without network and in at most eight minutes: docs/tokenhmr.md.
#   tests/gpu/check.sh [--out DIR]                    a network of full size on the card
#   tests/gpu/check.sh --device cpu --small           the same steps with a small network on the CPU
# PYTHON names another interpreter than python3. Exit codes: 0 all done, 1 a step failed, 2 a bad flag, 3 no CUDA here,
# 4 an aim was missed, 124 or 137 it took too long (what was measured until then is in DIR).
set -eu
cd "$(dirname "$0")/../.."
exec timeout --kill-after=10 480 "${PYTHON:-python3}" -m tests.gpu "$@"
