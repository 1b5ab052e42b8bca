// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print what the module believes of each field, as `NAME MEMBER SHADOW [lazy] [EFFECT]`; or with
 * an argument, the members that VM entries check.
 */
#include <stdio.h>

#include "vmcs12.h"

static const char * const members[] = {
#define VMCS_FIELD(_name, _encoding, _member, _offset, _shadow) #_member,
#include <kvm-nested/vmcs_fields.h>
};

static const char * const shadows[] = {
	[VMCS12_SHADOW_NO] = "NO",
	[VMCS12_SHADOW_RO] = "RO",
	[VMCS12_SHADOW_RW] = "RW",
};

static const char * const effects[] = {
	[VMCS12_EFFECT_ALWAYS] = "",
	[VMCS12_EFFECT_COPIED] = " copied",
	[VMCS12_EFFECT_DERIVED] = " derived",
	[VMCS12_EFFECT_TRIGGER] = " derived",
};

int main(int argc, char *argv[])
{
	for (enum vmcs12_field field = 0; field < VMCS12_NR_FIELDS; field++) {
		if (argc > 1) {
			if (vmcs12_field_is_checked(field))
				printf("%s\n", members[field]);
			continue;
		}
		printf("%s %s %s%s%s\n", vmcs12_fields[field].name, members[field],
		       shadows[vmcs12_fields[field].shadow],
		       vmcs12_field_is_lazy(field) ? " lazy" : "",
		       effects[vmcs12_field_effect(field)]);
	}
	return 0;
}
