// SPDX-License-Identifier: GPL-2.0-only
/*
 * Per-VM and per-vCPU state: adopt, find, release.
 *
 * A vCPU is adopted at a VMX-instruction exit from its L1 and released when it
 * leaves VMX operation, dies, or the module is switched off.  The engines keep
 * stock KVM's own state complete at every exit, so giving a vCPU back needs
 * nothing from that vCPU.
 */
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "kvm_intel.h"
#include "vcpu.h"

DEFINE_SRCU(kn_srcu);

/*
 * kn_lock guards the lists, the links and the counters of what departed.  It
 * nests inside everything, and is taken by ftrace callbacks: no sleeping.
 * Look-ups in vcpu_hash go without it, under kn_srcu.
 */
static DEFINE_SPINLOCK(kn_lock);
static DEFINE_HASHTABLE(vcpu_hash, 8);
static LIST_HEAD(vms);
static LIST_HEAD(dead_vms);
static struct kn_counters dead_vm_counters;

/* Serialises adoption, which sleeps.  Taken before kn_lock. */
static DEFINE_MUTEX(adopt_mutex);

static bool enabled = true;

static void reap_dead_vms(struct work_struct *work);
static DECLARE_WORK(reap_work, reap_dead_vms);

static struct kn_vcpu *vcpu_lookup(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	hash_for_each_possible_rcu(vcpu_hash, kv, hash, (unsigned long)vcpu,
				   srcu_read_lock_held(&kn_srcu) || lockdep_is_held(&kn_lock))
		if (kv->vcpu == vcpu)
			return kv;

	return NULL;
}

/* Must hold kn_srcu.  NULL if the vCPU is not adopted. */
struct kn_vcpu *kn_vcpu_find(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(enabled) ? vcpu_lookup(vcpu) : NULL;
}

/* Must hold kn_lock. */
static struct kn_vm *vm_lookup(struct kvm *kvm)
{
	struct kn_vm *vm;

	list_for_each_entry(vm, &vms, node)
		if (vm->kvm == kvm)
			return vm;

	return NULL;
}

/* Must hold adopt_mutex. */
static struct kn_vm *vm_get(struct kvm *kvm)
{
	struct kn_vm *vm;

	spin_lock(&kn_lock);
	vm = vm_lookup(kvm);
	spin_unlock(&kn_lock);
	if (vm)
		return vm;

	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return NULL;

	INIT_LIST_HEAD(&vm->vcpus);
	vm->kvm = kvm;

	/* A VM that died may have had this one's name; its files go first. */
	flush_work(&reap_work);
	vm->debugfs = kn_stats_add_vm(vm, kvm);

	spin_lock(&kn_lock);
	list_add_tail(&vm->node, &vms);
	spin_unlock(&kn_lock);
	return vm;
}

/*
 * Must hold kn_srcu, on the vCPU's own thread, where no kn_vcpu was found.
 * NULL if the vCPU stays with stock KVM: switched off, no memory, or the
 * module is on its way out.
 */
struct kn_vcpu *kn_vcpu_adopt(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	if (!READ_ONCE(enabled))
		return NULL;

	kv = kzalloc(sizeof(*kv), GFP_KERNEL_ACCOUNT);
	if (!kv)
		return NULL;

	if (!try_module_get(THIS_MODULE))
		goto err_free;

	mutex_lock(&adopt_mutex);
	kv->vcpu = vcpu;
	kv->vm = vm_get(vcpu->kvm);
	if (!kv->vm)
		goto err_unlock;

	kv->counters.adopted = 1;

	spin_lock(&kn_lock);
	list_add_tail(&kv->node, &kv->vm->vcpus);
	hash_add_rcu(vcpu_hash, &kv->hash, (unsigned long)vcpu);
	spin_unlock(&kn_lock);
	mutex_unlock(&adopt_mutex);
	return kv;

err_unlock:
	mutex_unlock(&adopt_mutex);
	module_put(THIS_MODULE);
err_free:
	kfree(kv);
	return NULL;
}

static void free_vcpu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct kn_vcpu, rcu));
}

/* Must hold kn_lock. */
static void release_locked(struct kn_vcpu *kv)
{
	hash_del_rcu(&kv->hash);
	list_del(&kv->node);

	kv->counters.released = 1;
	kn_counters_add(&kv->vm->departed, &kv->counters);

	/* The vCPU's thread may be inside a hook body that found it. */
	call_srcu(&kn_srcu, &kv->rcu, free_vcpu);
	module_put(THIS_MODULE);
}

/* The vCPU leaves VMX operation for good.  Callable where nothing may sleep. */
void kn_vcpu_release(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	spin_lock(&kn_lock);
	kv = vcpu_lookup(vcpu);
	if (kv)
		release_locked(kv);
	spin_unlock(&kn_lock);
}

/* Must hold kn_lock. */
static void release_vm_vcpus(struct kn_vm *vm)
{
	struct kn_vcpu *kv, *next;

	list_for_each_entry_safe(kv, next, &vm->vcpus, node)
		release_locked(kv);
}

/* The VM dies, none of its vCPUs runs again.  Callable where nothing may sleep. */
void kn_vm_destroy(struct kvm *kvm)
{
	struct kn_vm *vm;

	spin_lock(&kn_lock);
	vm = vm_lookup(kvm);
	if (vm) {
		release_vm_vcpus(vm);
		kn_counters_add(&dead_vm_counters, &vm->departed);
		list_move(&vm->node, &dead_vms);
	}
	spin_unlock(&kn_lock);

	if (vm)
		schedule_work(&reap_work);
}

/* The part of a VM's death that sleeps. */
static void reap_dead_vms(struct work_struct *work)
{
	struct kn_vm *vm, *next;
	LIST_HEAD(list);

	spin_lock(&kn_lock);
	list_splice_init(&dead_vms, &list);
	spin_unlock(&kn_lock);

	list_for_each_entry_safe(vm, next, &list, node) {
		kn_stats_remove_vm(vm->debugfs);
		kfree(vm);
	}
}

bool kn_vcpu_enabled(void)
{
	return READ_ONCE(enabled);
}

/*
 * Switching off returns when every vCPU is back with stock KVM.  The caller
 * serialises.
 */
void kn_vcpu_set_enable(bool on)
{
	struct kn_vm *vm;

	WRITE_ONCE(enabled, on);
	if (on)
		return;

	/* Hook bodies that started before the switch may still adopt, or work. */
	synchronize_srcu(&kn_srcu);

	spin_lock(&kn_lock);
	list_for_each_entry(vm, &vms, node)
		release_vm_vcpus(vm);
	spin_unlock(&kn_lock);
}

/* Adds the counters of one VM, or with NULL of all VMs there have been, to @sum. */
void kn_vm_read_counters(struct kn_vm *only, struct kn_counters *sum)
{
	struct kn_vcpu *kv;
	struct kn_vm *vm;

	spin_lock(&kn_lock);
	if (!only)
		kn_counters_add(sum, &dead_vm_counters);
	list_for_each_entry(vm, &vms, node) {
		if (only && vm != only)
			continue;
		kn_counters_add(sum, &vm->departed);
		list_for_each_entry(kv, &vm->vcpus, node)
			kn_counters_add(sum, &kv->counters);
	}
	spin_unlock(&kn_lock);
}

/* Only when the hooks are gone, and with them every vCPU. */
void kn_vcpu_exit(void)
{
	struct kn_vm *vm, *next;

	flush_work(&reap_work);

	list_for_each_entry_safe(vm, next, &vms, node) {
		kn_stats_remove_vm(vm->debugfs);
		kfree(vm);
	}
	srcu_barrier(&kn_srcu);
}
