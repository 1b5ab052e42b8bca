// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's parameters: they decide what it learns, and how fast.
 */
#include "host.h"
#include "shadow.h"

#define SEEDS_ALIKE	4
#define SOME_FIELDS	"GUEST_RIP,GUEST_RSP,GUEST_CS_AR_BYTES,GUEST_ES_AR_BYTES,TSC_OFFSET,"	\
			"VM_EXIT_REASON,GUEST_SYSENTER_CS,GUEST_FS_BASE,XSS_EXIT_BITMAP,"	\
			"GUEST_PDPTR0,HOST_RSP,CR4_GUEST_HOST_MASK,EXIT_QUALIFICATION,"		\
			"GUEST_LDTR_SELECTOR"

static const struct settings {
	const char *learn, *fields, *review, *fixed, *shadow;
} settings[] = {
	{ "1", "150", "1000000", "", "1" },
	{ "1", "150", "4", "", "1" },
	{ "1", "150", "1", "", "1" },
	{ "1", "6", "4", "", "1" },
	{ "2", "64", "16", "", "1" },
	{ "3", "128", "256", "", "1" },
	{ "1", "150", "1000000", SOME_FIELDS, "1" },
	{ "1", "150", "1000000", "", "0" },
};

static bool switched_off;	/* for this run of shrink, stock KVM's */

void parameters_set(uint64_t seed)
{
	static const struct settings *last;
	const struct settings *wanted = &settings[seed / SEEDS_ALIKE % ARRAY_SIZE(settings)];

	/* Whatever a program before has switched. */
	kn_parameter_set("shadow", wanted->shadow);
	kn_parameter_set("shadow_l2", "1");
	if (!switched_off)
		kn_parameter_set("enable", "1");
	if (wanted == last)
		return;
	kn_set_learning(wanted->learn, wanted->fields, wanted->review);
	kn_parameter_set("shadow_fixed", wanted->fixed);
	last = wanted;
}

void parameters_toggle(const char *name)
{
	char value[8];

	if (switched_off)
		return;
	kn_parameter_get(name, value, sizeof(value));
	if (value[0])
		kn_parameter_set(name, value[0] == 'Y' ? "0" : "1");
}

void parameters_enable(bool on)
{
	switched_off = !on;
	kn_parameter_set("enable", on ? "1" : "0");
}
