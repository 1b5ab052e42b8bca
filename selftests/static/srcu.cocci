// SPDX-License-Identifier: GPL-2.0-only
/// Each srcu_read_lock() has its srcu_read_unlock() on every path out of the function.

virtual report

@leak exists@
expression srcu, idx, result;
position lock, out;
@@

 idx = srcu_read_lock@lock(srcu);
 ... when != srcu_read_unlock(srcu, idx)
 return@out result;

@end exists@
identifier f;
expression srcu, idx;
position lock;
@@

 void f(...)
 {
 ... when any
 idx = srcu_read_lock@lock(srcu);
 ... when != srcu_read_unlock(srcu, idx)
 }

@script:python depends on report@
lock << leak.lock;
out << leak.out;
@@

coccilib.report.print_report(lock[0], "no srcu_read_unlock() before the return in line " + out[0].line)

@script:python depends on report@
lock << end.lock;
@@

coccilib.report.print_report(lock[0], "no srcu_read_unlock() on a way to the end")
