// SPDX-License-Identifier: GPL-2.0-only
/// Only kvm_intel.h, kvm_mmu.h, kvm_intel.c and hook.c know what lies where in KVM's structures.

virtual report

@initialize:python@
@@
import os

def knows(p):
    return os.path.basename(p[0].file) in ("kvm_intel.h", "kvm_mmu.h", "kvm_intel.c", "hook.c")

@arch@
expression object;
position p : script:python() { not knows(p) };
@@

(
 object->arch@p
|
 object.arch@p
)

@member@
position p : script:python() { not knows(p) };
@@

 kn_member@p(...)

@offset@
identifier what =~ "^KN_(OFFSET|SIZE|SIZEOF)_";
position p : script:python() { not knows(p) };
@@

 what@p

@script:python depends on report@
p << arch.p;
@@

coccilib.report.print_report(p[0], "KVM's arch members are for kvm_intel.h")

@script:python depends on report@
p << member.p;
@@

coccilib.report.print_report(p[0], "kn_member() is for kvm_intel.h")

@script:python depends on report@
p << offset.p;
what << offset.what;
@@

coccilib.report.print_report(p[0], what + " is for kvm_intel.h")
