// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters, and the debugfs files that show them.
 */
#include <linux/debugfs.h>
#include <linux/kvm_host.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <uapi/asm/vmx.h>

#include "stats.h"
#include "vcpu.h"

static struct dentry *root;

void kn_counters_add(struct kn_counters *sum, const struct kn_counters *more)
{
	const u64 *from = (const u64 *)more;
	u64 *to = (u64 *)sum;
	int i;

	BUILD_BUG_ON(sizeof(*sum) % sizeof(u64));

	for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
		to[i] += READ_ONCE(from[i]);
}

static void show(struct seq_file *m, const char *group, const char *name, const char *who,
		 u64 value)
{
	if (value)
		seq_printf(m, "%s.%s%s%s %llu\n", group, name, who ? "." : "", who ?: "", value);
}

static void show_reasons(struct seq_file *m, const struct kn_counters *c)
{
	static const struct trace_print_flags names[] = { VMX_EXIT_REASONS };
	char number[12];
	int reason, i;

	for (reason = 0; reason < KN_NR_REASONS; reason++) {
		const char *name = number;

		if (reason == KN_NR_REASONS - 1)
			name = "other";
		else
			scnprintf(number, sizeof(number), "%d", reason);
		for (i = 0; i < ARRAY_SIZE(names); i++)
			if (names[i].mask == reason)
				name = names[i].name;

		show(m, "l2exit", name, "l1", c->l2exit_l1[reason]);
		show(m, "l2exit", name, "l0", c->l2exit_l0[reason]);
	}
}

static void show_fields(struct seq_file *m, const char *group, const u64 *by_field)
{
	enum vmcs12_field field;

	for (field = 0; field < VMCS12_NR_FIELDS; field++)
		show(m, group, vmcs12_fields[field].name, NULL, by_field[field]);
	show(m, group, "other", NULL, by_field[VMCS12_NO_FIELD]);
}

static void show_shadow(struct seq_file *m, const char *group, const struct kn_shadow_counters *c)
{
	show(m, group, "joined", NULL, c->joined);
	show(m, group, "left", NULL, c->left);
	show(m, group, "full", NULL, c->full);
	show(m, group, "copied_in", NULL, c->copied_in);
	show(m, group, "copied_out", NULL, c->copied_out);
	show(m, group, "read", NULL, c->read);
	show(m, group, "written", NULL, c->written);
}

static int counters_show(struct seq_file *m, void *unused)
{
	static const char * const insns[] = {
#define X(reason, handler) #reason,
		KN_INSNS(X)
#undef X
	};
	static const char * const fallbacks[] = {
#define X(symbol, name) #name,
		KN_FALLBACKS(X)
#undef X
	};
	static const char * const vept_causes[] = {
#define X(symbol, name) #name,
		KN_VEPT_CAUSES(X)
#undef X
	};
	struct kn_counters *c;
	int i;

	c = kzalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return -ENOMEM;

	kn_vm_read_counters(m->private, c);

	for (i = 0; i < KN_NR_INSNS; i++) {
		show(m, "exit", insns[i], "module", c->exit_module[i]);
		show(m, "exit", insns[i], "stock", c->exit_stock[i]);
	}
	show_reasons(m, c);
	show_fields(m, "vmread", c->vmread);
	show_fields(m, "vmwrite", c->vmwrite);
	show_fields(m, "l2vmread", c->l2vmread);
	show_fields(m, "l2vmwrite", c->l2vmwrite);
	for (i = 0; i < KN_NR_FALLBACKS; i++)
		show(m, "fallback", fallbacks[i], NULL, c->fallback[i]);
	show_shadow(m, "shadow", &c->shadow);
	show(m, "shadow", "own", NULL, c->shadow_own);
	show_shadow(m, "shadow_l2", &c->shadow_l2);
	show(m, "shadow_l2", "unreadable", NULL, c->shadow_l2_unreadable);
	show(m, "vmptr", "kept", NULL, c->vmptr_kept);
	show(m, "vmptr", "new", NULL, c->vmptr_new);
	show(m, "vmptr", "stock", NULL, c->vmptr_stock);
	show(m, "vmptr", "linked", NULL, c->vmptr_linked);
	show(m, "vmptr", "linked", "stock", c->vmptr_linked_stock);
	show(m, "pages", "kept", NULL, c->pages_kept);
	show(m, "pages", "new", NULL, c->pages_new);
	show(m, "pages", "stale", NULL, c->pages_stale);
	show(m, "pages", "off", NULL, c->pages_off);
	show(m, "walk", "known", NULL, c->walk_known);
	show(m, "walk", "new", NULL, c->walk_new);
	show(m, "transition", "segments", NULL, c->transition_segments);
	show(m, "transition", "segments", "stock", c->transition_segments_stock);
	show(m, "transition", "msrs", NULL, c->transition_msrs);
	show(m, "transition", "msrs", "stock", c->transition_msrs_stock);
	show(m, "transition", "host", NULL, c->transition_host);
	show(m, "transition", "host", "stock", c->transition_host_stock);
	show(m, "transition", "checks", NULL, c->transition_checks);
	show(m, "transition", "checks", "stock", c->transition_checks_stock);
	show(m, "transition", "mmu", NULL, c->transition_mmu);
	show(m, "transition", "mmu", "stock", c->transition_mmu_stock);
	show(m, "transition", "efer", NULL, c->transition_efer);
	show(m, "transition", "efer", "stock", c->transition_efer_stock);
	show(m, "vept", "loaded", NULL, c->vept_loaded);
	show(m, "vept", "loaded", "stock", c->vept_loaded_stock);
	show(m, "vept", "faults", NULL, c->vept_faults);
	show(m, "vept", "kept", NULL, c->vept_kept);
	show(m, "vept", "filled", NULL, c->vept_filled);
	show(m, "vept", "prefilled", NULL, c->vept_prefilled);
	show(m, "vept", "invalidated", NULL, c->vept_invalidated);
	show(m, "vept", "checked", NULL, c->vept_checked);
	show(m, "vept", "dropped", NULL, c->vept_dropped);
	show(m, "vept", "refused", NULL, c->vept_refused);
	show(m, "vept", "full", NULL, c->vept_full);
	show(m, "vept", "reclaimed", NULL, c->vept_reclaimed);
	for (i = 0; i < KN_NR_VEPT_CAUSES; i++)
		show(m, "vept.stock", vept_causes[i], NULL, c->vept_stock[i]);
	show(m, "state", "saved", NULL, c->state_saved);
	show(m, "state", "restored", NULL, c->state_restored);
	show(m, "vcpu", "adopted", NULL, c->adopted);
	show(m, "vcpu", "released", NULL, c->released);

	kfree(c);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

/*
 * The VM's folder has the name of the one that KVM itself made for it.  A NULL
 * or error result is fine everywhere; the VM just can't be looked at alone.
 */
struct dentry *kn_stats_add_vm(struct kn_vm *vm, struct kvm *kvm)
{
	struct dentry *dir;

	if (IS_ERR_OR_NULL(kvm->debugfs_dentry))
		return NULL;

	dir = debugfs_create_dir(kvm->debugfs_dentry->d_name.name, root);
	debugfs_create_file("counters", 0444, dir, vm, &counters_fops);
	return dir;
}

/* No reader is left on return. */
void kn_stats_remove_vm(struct dentry *dir)
{
	debugfs_remove(dir);
}

void kn_stats_init(void)
{
	root = debugfs_create_dir("kvm_nested", NULL);
	debugfs_create_file("counters", 0444, root, NULL, &counters_fops);
}

void kn_stats_exit(void)
{
	debugfs_remove(root);
}
