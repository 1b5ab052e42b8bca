// SPDX-License-Identifier: GPL-2.0-only
/*
 * Per-VM and per-vCPU state: adopt, find, release.
 *
 * A vCPU is adopted at a VMX-instruction exit from its L1 and released when it
 * leaves VMX operation, dies, or the module is switched off.  The engines keep
 * stock KVM's own state complete at every exit, but for the hardware shadow VMCS,
 * which shadow.c can give back at any time.
 *
 * The state of a released vCPU stays until the vCPU dies: an L1 that executes
 * VMXON and VMXOFF in a loop allocates nothing.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "kvm_intel.h"
#include "vcpu.h"
#include "vmcs02.h"

DEFINE_SRCU(kn_srcu);

/*
 * kn_lock guards the lists, adoption, and the counters of what departed.  It
 * nests inside everything, and is taken by ftrace callbacks: no sleeping.
 * Look-ups in kn_vcpu_hash go without it, under kn_srcu or RCU.
 */
static DEFINE_SPINLOCK(kn_lock);
DEFINE_HASHTABLE(kn_vcpu_hash, KN_VCPU_HASH_BITS);
static LIST_HEAD(vms);
static LIST_HEAD(dead_vms);
static struct kn_counters dead_vm_counters;

/*
 * enable_mutex guards what the parameter says and whether the hooks are there;
 * only with both are vCPUs adopted.
 */
static DEFINE_MUTEX(enable_mutex);
static bool enable = true;
static bool open;
static bool adopting;

static void reap_dead_vms(struct work_struct *work);
static DECLARE_WORK(reap_work, reap_dead_vms);

/* Must hold kn_srcu to act on it: the module gives vCPUs back only after everybody has. */
bool kn_vcpu_is_adopting(void)
{
	return READ_ONCE(adopting);
}

/* Must hold kn_lock. */
static struct kn_vm *vm_lookup(struct kvm *kvm)
{
	struct kn_vm *vm;

	list_for_each_entry(vm, &vms, node)
		if (vm->kvm == kvm && !vm->dead)
			return vm;

	return NULL;
}

/* On the thread of one of the VM's vCPUs, so the VM stays. */
static struct kn_vm *vm_get(struct kvm *kvm)
{
	struct kn_vm *vm, *new;

	spin_lock(&kn_lock);
	vm = vm_lookup(kvm);
	spin_unlock(&kn_lock);
	if (vm)
		return vm;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;

	INIT_LIST_HEAD(&new->vcpus);
	new->kvm = kvm;

	spin_lock(&kn_lock);
	vm = vm_lookup(kvm);
	if (!vm)
		list_add_tail(&new->node, &vms);
	spin_unlock(&kn_lock);

	/* Another vCPU of the VM was faster. */
	if (vm) {
		kfree(new);
		return vm;
	}

	/* A VM that died may have had this one's name; its files go first. */
	flush_work(&reap_work);
	new->debugfs = kn_stats_add_vm(new, kvm);
	return new;
}

static struct kn_vcpu *vcpu_create(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	kv = kvzalloc(sizeof(*kv), GFP_KERNEL_ACCOUNT);
	if (!kv)
		return NULL;

	kv->vcpu = vcpu;
	kv->vm = vm_get(vcpu->kvm);
	if (!kv->vm) {
		kvfree(kv);
		return NULL;
	}
	kn_shadow_create(kv);
	kn_vmptr_leave(kv);	/* nothing is kept */

	spin_lock(&kn_lock);
	list_add_tail(&kv->node, &kv->vm->vcpus);
	hash_add_rcu(kn_vcpu_hash, &kv->hash, (unsigned long)vcpu);
	spin_unlock(&kn_lock);
	return kv;
}

/*
 * Must hold kn_srcu, on the vCPU's own thread, where kn_vcpu_find() found
 * nothing.  NULL if the vCPU stays with stock KVM: switched off, no memory, or
 * the module is on its way out.
 */
struct kn_vcpu *kn_vcpu_adopt(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	if (!READ_ONCE(adopting))
		return NULL;

	kv = kn_vcpu_lookup(vcpu) ?: vcpu_create(vcpu);
	if (!kv || !try_module_get(THIS_MODULE))
		return NULL;

	/* Stock KVM may have run L2 since. */
	memset(kv->fresh, 0, sizeof(kv->fresh));
	kn_vmptr_forget(kv);
	kn_checks_forget(kv);
	kv->vept.root = NULL;

	spin_lock(&kn_lock);
	kv->counters.adopted++;
	WRITE_ONCE(kv->adopted, true);
	spin_unlock(&kn_lock);
	return kv;
}

/* Must hold kn_lock. */
static void release(struct kn_vcpu *kv)
{
	if (!kv->adopted)
		return;

	WRITE_ONCE(kv->adopted, false);
	kv->counters.released++;
	module_put(THIS_MODULE);
}

/* The vCPU leaves VMX operation, with VMCS01 current.  Callable where nothing may sleep. */
void kn_vcpu_release(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	spin_lock(&kn_lock);
	kv = kn_vcpu_lookup(vcpu);
	if (kv) {
		kn_shadow_leave(kv);
		kn_vmcs02_leave(kv);
		kn_vmptr_leave(kv);
		if (kv->vm->vept)
			kn_vept_forget(kv->vm->vept);
		release(kv);
	}
	spin_unlock(&kn_lock);
}

static void free_vcpu(struct rcu_head *rcu)
{
	struct kn_vcpu *kv = container_of(rcu, struct kn_vcpu, rcu);

	kn_vmptr_leave(kv);
	kn_shadow02_free(kv);
	kn_shadow_free(kv);
	kn_vept_free_vcpu(kv);
	kvfree(kv);
}

static void free_vcpu_after_srcu(struct rcu_head *rcu)
{
	call_rcu(rcu, free_vcpu);
}

/* Must hold kn_lock.  Leaves the VM to reap_dead_vms(). */
static void vm_retire(struct kn_vm *vm)
{
	kn_counters_add(&dead_vm_counters, &vm->departed);
	kn_vept_add_counters(vm->vept, &dead_vm_counters);
	list_move(&vm->node, &dead_vms);
}

/* Must hold kn_lock. */
static void vcpu_destroy(struct kn_vcpu *kv)
{
	kn_shadow_destroy(kv);
	release(kv);
	hash_del_rcu(&kv->hash);
	list_del(&kv->node);
	kn_counters_add(&kv->vm->departed, &kv->counters);

	/* Look-ups of other vCPUs may be passing by. */
	call_srcu(&kn_srcu, &kv->rcu, free_vcpu_after_srcu);
}

/* The vCPU dies; it has left VMX operation.  Callable where nothing may sleep. */
void kn_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;
	struct kn_vm *vm;

	spin_lock(&kn_lock);
	kv = kn_vcpu_lookup(vcpu);
	if (kv) {
		vm = kv->vm;
		vcpu_destroy(kv);
		if (vm->dead && list_empty(&vm->vcpus)) {
			vm_retire(vm);
			schedule_work(&reap_work);
		}
	}
	spin_unlock(&kn_lock);
}

/* The VM dies, before its vCPUs or after them.  Callable where nothing may sleep. */
void kn_vm_destroy(struct kvm *kvm)
{
	struct kn_vm *vm;

	spin_lock(&kn_lock);
	vm = vm_lookup(kvm);
	if (vm) {
		vm->dead = true;
		if (list_empty(&vm->vcpus)) {
			vm_retire(vm);
			schedule_work(&reap_work);
		}
	}
	spin_unlock(&kn_lock);
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
		kn_vept_free(vm->vept);
		kfree(vm);
	}
}

static bool give_back_vcpu(struct kn_vcpu *kv)
{
	if (!kn_shadow_give_back(kv) || !kn_shadow02_give_back(kv))
		return false;

	spin_lock(&kn_lock);
	release(kv);
	spin_unlock(&kn_lock);
	return true;
}

/* Must hold enable_mutex.  False if a vCPU could not give up what @give_back is for. */
static bool give_back_all(bool (*give_back)(struct kn_vcpu *kv))
{
	struct kn_vcpu *kv;
	bool all = true;
	int bucket, idx;

	/* Hooks that started before may still adopt, take, or work. */
	synchronize_srcu(&kn_srcu);

	idx = srcu_read_lock(&kn_srcu);
	hash_for_each_rcu(kn_vcpu_hash, bucket, kv, hash)
		all &= give_back(kv);
	srcu_read_unlock(&kn_srcu, idx);

	if (!all)
		pr_err("a vCPU can't be given back: its thread moves between CPUs all the time; try again\n");
	return all;
}

/* Must hold enable_mutex. */
static int update_adopting(void)
{
	bool all;

	WRITE_ONCE(adopting, enable && open);
	if (adopting)
		return 0;

	/* Hooks that started before may still use them; those of vCPUs that are back can't. */
	synchronize_srcu(&kn_srcu);
	kn_vept_give_back_all();
	all = give_back_all(give_back_vcpu);
	return all ? 0 : -EBUSY;
}

/* Switching off returns when every vCPU is back with stock KVM, or -EBUSY. */
int kn_vcpu_set_enable(bool on)
{
	int r = 0;

	mutex_lock(&enable_mutex);
	enable = on;
	/* Before the module is open, and once it is closed, there is nothing to do. */
	if (open)
		r = update_adopting();
	mutex_unlock(&enable_mutex);
	return r;
}

static int set_part(bool *part, bool on, bool (*give_back)(struct kn_vcpu *kv))
{
	int r = 0;

	mutex_lock(&enable_mutex);
	WRITE_ONCE(*part, on);
	if (open && !on && !give_back_all(give_back))
		r = -EBUSY;
	mutex_unlock(&enable_mutex);
	return r;
}

/* The same, for the shadow VMCS of L1 alone, and for that of L2. */

int kn_vcpu_set_shadow(bool on)
{
	return set_part(&kn_shadow_enable, on, kn_shadow_give_back);
}

int kn_vcpu_set_shadow02(bool on)
{
	return set_part(&kn_shadow02_enable, on, kn_shadow02_give_back);
}

/* The same for the EPT02s of all VMs: nothing can be in the way. */
int kn_vcpu_set_vept(bool on)
{
	mutex_lock(&enable_mutex);
	WRITE_ONCE(kn_vept_enable, on);
	if (open && !on) {
		/* Hooks that started before may still use them. */
		synchronize_srcu(&kn_srcu);
		kn_vept_give_back_all();
	}
	mutex_unlock(&enable_mutex);
	return 0;
}

bool kn_vcpu_get_enable(void)
{
	return READ_ONCE(enable);
}

/* The hooks are there. */
void kn_vcpu_open(void)
{
	mutex_lock(&enable_mutex);
	open = true;
	update_adopting();
	mutex_unlock(&enable_mutex);
}

/* The hooks are about to go.  Returns when every vCPU is back with stock KVM. */
void kn_vcpu_close(void)
{
	mutex_lock(&enable_mutex);
	open = false;
	while (update_adopting())
		msleep(100);
	kn_vept_close();
	mutex_unlock(&enable_mutex);
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
		/* Pairs with its creation. */
		kn_vept_add_counters(smp_load_acquire(&vm->vept), sum);
		list_for_each_entry(kv, &vm->vcpus, node)
			kn_counters_add(sum, &kv->counters);
	}
	spin_unlock(&kn_lock);
}

/* Only when the hooks are gone. */
void kn_vcpu_exit(void)
{
	struct kn_vcpu *kv, *next_kv;
	struct kn_vm *vm, *next;

	spin_lock(&kn_lock);
	list_for_each_entry_safe(vm, next, &vms, node) {
		list_for_each_entry_safe(kv, next_kv, &vm->vcpus, node)
			vcpu_destroy(kv);
		vm_retire(vm);
	}
	spin_unlock(&kn_lock);

	schedule_work(&reap_work);
	flush_work(&reap_work);
	srcu_barrier(&kn_srcu);
	rcu_barrier();
}
