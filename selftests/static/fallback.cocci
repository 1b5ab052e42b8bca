// SPDX-License-Identifier: GPL-2.0-only
/// An engine that leaves an exit to stock KVM has not changed anything before.

virtual report

@late exists@
identifier target;
position change, stock;
@@

(
 vmcs12_field_write@change(...)
|
 kvm_vcpu_write_reg@change(...)
|
 nested_set_dirty_vmcs12@change(...)
|
 kn_call@change(target)(...)
)
 ... when any
(
 return KN_STOCK@stock;
|
 return vmaccess_fallback@stock(...);
)

@script:python depends on report@
change << late.change;
stock << late.stock;
@@

coccilib.report.print_report(stock[0], "left to stock KVM after the change in line " + change[0].line)
