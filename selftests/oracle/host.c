// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM that runs one program, and everything that user space sees of it.
 */
#include <asm/msr-index.h>
#include <signal.h>
#include <sys/time.h>

#include "field.h"
#include "host.h"
#include "l1.h"
#include "program.h"

#define SECONDS		1	/* of the host's clock, for a program that needs some 0.05 */
#define MAX_EXITS	400
#define PATTERN		0x5a

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;

static void on_alarm(int signal)
{
}

static void set_timer(unsigned int seconds)
{
	struct itimerval timer = {
		.it_value.tv_sec = seconds,
		.it_interval.tv_usec = seconds ? 100000 : 0,
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* The program's code and constants are the guest's as well. */
static uint64_t image_size(void)
{
	static uint64_t size;
	unsigned long start, end;
	char line[256], flags[8];
	FILE *maps;

	if (size)
		return size;
	maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &start, &end, flags) == 3 &&
		    start == IMAGE + size && flags[1] == '-')
			size = end - IMAGE;
	fclose(maps);
	TEST_ASSERT(size && size <= 0x200000, "image of %#lx bytes", size);
	return size;
}

static void add_memory(void)
{
	vm_set_user_memory_region(vm, 0, KVM_MEM_READONLY, IMAGE, image_size(), (void *)IMAGE);
	vm_set_user_memory_region(vm, 1, 0, ARENA, ARENA_SIZE, (void *)ARENA);
}

static void add_vcpu(void)
{
	vcpu = __vm_vcpu_add(vm, 0);
	vcpu_init_cpuid(vcpu, kvm_get_supported_cpuid());
}

static struct kvm_segment segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.selector = selector, .limit = 0xffffffff, .type = type, .present = 1, .s = 1,
		.g = 1, .l = type == 0xb, .db = type != 0xb,
	};
}

static void set_registers(void)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = {
		.rip = (uintptr_t)guest_main,
		.rsp = PAGE_AT(P_STACK_LAST + 1) - 8,
		.rflags = 2,
	};

	vcpu_sregs_get(vcpu, &sregs);
	sregs.cs = segment(SEL_CODE, 0xb);
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = segment(SEL_DATA, 3);
	sregs.fs.base = baseline_value(HOST_FS_BASE);
	sregs.gs.base = baseline_value(HOST_GS_BASE);
	sregs.tr = (struct kvm_segment){
		.selector = SEL_TSS, .base = baseline_value(HOST_TR_BASE), .limit = 0x67,
		.type = 0xb, .present = 1,
	};
	sregs.ldt = (struct kvm_segment){ .unusable = 1 };
	sregs.gdt = (struct kvm_dtable){
		.base = baseline_value(HOST_GDTR_BASE), .limit = SEL_LIMIT,
	};
	sregs.idt = (struct kvm_dtable){
		.base = baseline_value(HOST_IDTR_BASE), .limit = 0xfff,
	};
	sregs.cr0 = baseline_value(HOST_CR0);
	sregs.cr3 = baseline_value(HOST_CR3);
	sregs.cr4 = baseline_value(HOST_CR4);
	sregs.efer = baseline_value(HOST_IA32_EFER);
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_set(vcpu, &regs);
	if (!the_state()->writes_read_only)
		vcpu_set_msr(vcpu, MSR_IA32_VMX_MISC, caps.misc & ~BIT_ULL(29));
	vcpu_set_msr(vcpu, MSR_IA32_FEAT_CTL, FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX);
}

static void create(void)
{
	vm = vm_create_barebones();
	add_memory();
	add_vcpu();
}

void host_init(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	unsigned int va_bits;

	sigaction(SIGALRM, &action, NULL);
	arena_create();
	create();
	caps = (struct capabilities){
		.basic = vcpu_get_msr(vcpu, MSR_IA32_VMX_BASIC),
		.pin = vcpu_get_msr(vcpu, MSR_IA32_VMX_TRUE_PINBASED_CTLS),
		.cpu = vcpu_get_msr(vcpu, MSR_IA32_VMX_TRUE_PROCBASED_CTLS),
		.cpu2 = vcpu_get_msr(vcpu, MSR_IA32_VMX_PROCBASED_CTLS2),
		.exit = vcpu_get_msr(vcpu, MSR_IA32_VMX_TRUE_EXIT_CTLS),
		.entry = vcpu_get_msr(vcpu, MSR_IA32_VMX_TRUE_ENTRY_CTLS),
		.misc = vcpu_get_msr(vcpu, MSR_IA32_VMX_MISC),
		.ept_vpid = vcpu_get_msr(vcpu, MSR_IA32_VMX_EPT_VPID_CAP),
		.vmfunc = vcpu_get_msr(vcpu, MSR_IA32_VMX_VMFUNC),
		.xsave = kvm_cpu_has(X86_FEATURE_XSAVE),
	};
	kvm_get_cpu_address_width(&caps.address_bits, &va_bits);
	kvm_vm_free(vm);
}

static void log_words(enum kind kind, unsigned int what, const void *words, size_t size)
{
	const uint64_t *word = words;

	for (size_t i = 0; i < size / 8; i++)
		log_item(kind, what + i, word[i]);
}

static void log_vmcs(unsigned int what, const void *page, bool runs)
{
	uint64_t words[125];

	memcpy(words, page, sizeof(words));
	exclude_leftovers(words, runs);
	log_words(LOG_VMCS, what, words, sizeof(words));
}

/* The state in the order of the ABI: header, VMCS12, shadow VMCS12. */
static void log_nested_state(struct kvm_nested_state *state)
{
	struct kvm_vmx_nested_state_data *data = state->data.vmx;

	log_item(LOG_STATE, 0, state->flags);
	log_item(LOG_STATE, 1, state->size);
	log_item(LOG_STATE, 2, state->hdr.vmx.vmxon_pa);
	log_item(LOG_STATE, 3, state->hdr.vmx.vmcs12_pa);
	log_item(LOG_STATE, 4, state->hdr.vmx.smm.flags);
	log_item(LOG_STATE, 5, state->hdr.vmx.flags);
	if (state->size > sizeof(*state))
		log_vmcs(0x1000, data->vmcs12, state->flags & KVM_STATE_NESTED_GUEST_MODE);
	if (state->size > sizeof(*state) + sizeof(data->vmcs12))
		log_words(LOG_VMCS, 0x2000, data->shadow_vmcs12, 1000);
}

static void log_vcpu_state(struct kvm_x86_state *state)
{
	struct kvm_vcpu_events events = state->events;

	exclude_events(&events);
	log_words(LOG_STATE, 0x100, &state->regs, sizeof(state->regs));
	log_words(LOG_STATE, 0x200, &state->sregs, sizeof(state->sregs));
	log_words(LOG_STATE, 0x300, &events, sizeof(events));
	log_item(LOG_STATE, 0x400, state->mp_state.mp_state);
	log_nested_state(&state->nested);
}

static void log_nested_now(void)
{
	static char buffer[sizeof(struct kvm_nested_state) +
			   sizeof(struct kvm_vmx_nested_state_data)];
	struct kvm_nested_state *state = (void *)buffer;

	state->size = sizeof(buffer);
	log_item(LOG_STATE, 6, __vcpu_ioctl(vcpu, KVM_GET_NESTED_STATE, state));
	log_nested_state(state);
}

/* Not vcpu_load_state(): whatever KVM refuses is to be observed. */
static void load_state(struct kvm_x86_state *state)
{
	uint64_t refused = 0;

	refused |= !!__vcpu_ioctl(vcpu, KVM_SET_SREGS, &state->sregs) << 0;
	refused |= (__vcpu_ioctl(vcpu, KVM_SET_MSRS, &state->msrs) & 0xffff) << 16;
	refused |= !!__vcpu_ioctl(vcpu, KVM_SET_XCRS, &state->xcrs) << 1;
	refused |= !!__vcpu_ioctl(vcpu, KVM_SET_XSAVE, state->xsave) << 2;
	refused |= !!__vcpu_ioctl(vcpu, KVM_SET_VCPU_EVENTS, &state->events) << 3;
	refused |= !!__vcpu_ioctl(vcpu, KVM_SET_MP_STATE, &state->mp_state) << 4;
	refused |= !!__vcpu_ioctl(vcpu, KVM_SET_DEBUGREGS, &state->debugregs) << 5;
	refused |= !!__vcpu_ioctl(vcpu, KVM_SET_REGS, &state->regs) << 6;
	refused |= !!__vcpu_nested_state_set(vcpu, &state->nested) << 7;
	log_item(LOG_STATE, 7, refused);
}

static void save_and_restore(bool new_vm)
{
	struct kvm_x86_state *state = vcpu_save_state(vcpu);

	log_vcpu_state(state);
	if (new_vm) {
		kvm_vm_release(vm);
		kvm_vm_restart(vm);
		add_memory();
		add_vcpu();
	}
	load_state(state);
	kvm_x86_state_cleanup(state);
}

/* Returns false at the end of the program. */
static bool handle_io(struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t size = run->io.size * run->io.count;
	uint16_t port = run->io.port;
	uint64_t value = 0;

	if (run->io.direction == KVM_EXIT_IO_OUT && size == 1) {
		switch (port) {
		case PORT_END:
			return false;
		case PORT_DEAD: {
			struct kvm_regs regs;

			vcpu_regs_get(vcpu, &regs);
			log_item(LOG_KVM_EXIT, 0x100, regs.rax);
			log_item(LOG_KVM_EXIT, 0x101, regs.rcx);
			log_item(LOG_KVM_EXIT, 0x102, regs.rdx);
			return false;
		}
		case PORT_GET:
			log_nested_now();
			return true;
		case PORT_SAME:
		case PORT_NEW:
			save_and_restore(port == PORT_NEW);
			return true;
		case PORT_SHADOW:
			parameters_toggle("shadow");
			return true;
		case PORT_SHADOW_L2:
			parameters_toggle("shadow_l2");
			return true;
		case PORT_ENABLE:
			parameters_toggle("enable");
			return true;
		}
	}

	log_item(LOG_IO, 0, (uint64_t)port << 32 | run->io.size << 16 | run->io.count << 8 |
		 run->io.direction);
	if (run->io.direction == KVM_EXIT_IO_IN) {
		memset(data, PATTERN, size);
	} else {
		memcpy(&value, data, size < 8 ? size : 8);
		log_item(LOG_IO, 1, value);
	}
	return true;
}

static void handle_mmio(struct kvm_run *run)
{
	uint64_t value = 0;

	log_item(LOG_IO, 2, run->mmio.phys_addr);
	log_item(LOG_IO, 3, run->mmio.len << 1 | run->mmio.is_write);
	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, run->mmio.len);
		log_item(LOG_IO, 4, value);
	} else {
		memset(run->mmio.data, PATTERN, sizeof(run->mmio.data));
	}
}

/* Returns false if the program can't go on. */
static bool handle_exit(struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return handle_io(run);
	case KVM_EXIT_MMIO:
		handle_mmio(run);
		return true;
	}

	log_item(LOG_KVM_EXIT, 0, run->exit_reason);
	switch (run->exit_reason) {
	case KVM_EXIT_HLT:
	case KVM_EXIT_SET_TPR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return true;
	case KVM_EXIT_INTERNAL_ERROR:
		log_item(LOG_KVM_EXIT, 1, run->internal.suberror);
		return false;
	case KVM_EXIT_FAIL_ENTRY:
		log_item(LOG_KVM_EXIT, 2, run->fail_entry.hardware_entry_failure_reason);
		return false;
	default:
		return false;
	}
}

static enum ending run_to_end(void)
{
	for (unsigned int i = 0; i < MAX_EXITS; i++) {
		if (__vcpu_run(vcpu)) {
			if (errno == EINTR || errno == EAGAIN)
				return TIMED_OUT;
			log_item(LOG_KVM_EXIT, 3, errno);
			return CAME_TO_END;
		}
		if (!handle_exit(vcpu->run))
			return CAME_TO_END;
	}
	log_item(LOG_KVM_EXIT, 4, MAX_EXITS);
	return CAME_TO_END;
}

static uint64_t hash(const uint64_t *words, unsigned int nr)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < nr; i++)
		value = (value ^ words[i]) * 0x9e3779b97f4a7c15ull;
	return value;
}

static uint64_t hash_page(unsigned int page)
{
	uint64_t words[512];

	memcpy(words, (void *)PAGE_AT(page), sizeof(words));
	if (page >= P_VMCS && page < P_VMCS + NR_VMCS)
		exclude_leftovers(words, false);
	return hash(words, 512);
}

/* What is in memory at the end. L1's own stacks and variables are its own business. */
static void log_memory(void)
{
	for (unsigned int i = 0; i < NR_VMCS; i++)
		log_vmcs(i * 0x100, (void *)PAGE_AT(P_VMCS + i), false);
	for (unsigned int page = P_PML4; page < P_LOG; page++)
		if (page < P_STACK || page > P_IST)
			log_item(LOG_PAGE, page, hash_page(page));
}

enum ending host_run(void)
{
	enum ending ending;

	create();
	set_registers();
	set_timer(SECONDS);
	ending = run_to_end();
	set_timer(0);
	if (ending == CAME_TO_END) {
		log_nested_now();
		log_memory();
	}
	log_item(LOG_END, ending, 0);
	kvm_vm_free(vm);
	return ending;
}
