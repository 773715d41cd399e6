#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every point of cut.t, not a sample.
CUT_SAMPLE=0 exec tests/e2e/cut.t
