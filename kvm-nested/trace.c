// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's tracepoints, in the one place that defines them.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
