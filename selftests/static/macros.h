/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For spatch, whose parser stops at the uses of X-macros: they are nothing.
 */
#define KN_INSNS(X)
#define KN_CALLS(X)
#define KN_FALLBACKS(X)
#define KN_VEPT_CAUSES(X)
#define KN_VEPT_WHYS(X)
#define REDIRECTS(X)
#define TRACE_EVENT(name, proto, args, fields, assign, print)
#define TRACE_DEFINE_ENUM(name)
