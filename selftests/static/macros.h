/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For spatch, whose parser stops at the uses of X-macros: they are nothing.
 */
#define KN_INSNS(X)
#define KN_CALLS(X)
#define KN_FALLBACKS(X)
#define KN_VEPT_CAUSES(X)
