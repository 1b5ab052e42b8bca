// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L2's CPUID, VMCALL, HLT, I/O, MSR accesses, exceptions, control-register accesses,
 * VMX instructions and triple faults exit to L1 with the right reason, qualification and
 * instruction length, and that L2 goes on with what L1 gave it.
 */
#include "counter.h"
#include "l2.h"

enum {
	PORT_EXITS = 0x3f8,
	PORT_WIDE = 0x2001,
	PORT_STRING = 0x70,
};

enum {
	STAGE_L2_IO = 1,
};

#define UNMAPPED	((void *)-PAGE_SIZE)
#define IO_IN		BIT(3)
#define IO_STRING	BIT(4)
#define IO_REP		BIT(5)
#define IO_IMMEDIATE	BIT(6)
#define IO_PORT(_port)	((uint64_t)(_port) << 16)

#define INTR_VALID		BIT(31)
#define INTR_ERROR_CODE		BIT(11)
#define INTR_HARD_EXCEPTION	(3u << 8)
#define INTR_SOFT_EXCEPTION	(6u << 8)

static struct gpr64_regs sent, received;
static uint8_t *io_bitmaps;
static uint64_t io_bitmaps_gpa;
static struct gpr64_regs gprs;
static bool has_xsave;

/* Exits with @sent in the registers, and leaves in @received what L1 put there. */
static void exchange_gprs(void)
{
#define LOAD(_reg)	"mov %c[" #_reg "] + sent, %%" #_reg "\n\t"
#define STORE(_reg)	"mov %%" #_reg ", %c[" #_reg "] + received\n\t"
#define EACH(_do)	_do(rax) _do(rcx) _do(rdx) _do(rbx) _do(rbp) _do(rsi) _do(rdi) _do(r8) \
			_do(r9) _do(r10) _do(r11) _do(r12) _do(r13) _do(r14) _do(r15)
#define OFFSET(_reg)	[_reg] "i" (offsetof(struct gpr64_regs, _reg))
	asm volatile("push %%rbp\n\t"
		     EACH(LOAD)
		     "vmcall\n\t"
		     EACH(STORE)
		     "pop %%rbp"
		     : : OFFSET(rax), OFFSET(rcx), OFFSET(rdx), OFFSET(rbx), OFFSET(rbp),
			 OFFSET(rsi), OFFSET(rdi), OFFSET(r8), OFFSET(r9), OFFSET(r10),
			 OFFSET(r11), OFFSET(r12), OFFSET(r13), OFFSET(r14), OFFSET(r15)
		     : "rax", "rcx", "rdx", "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
		       "r13", "r14", "r15", "memory", "cc");
}

static void l2_instructions(void)
{
	uint32_t eax = 0x12345678, ebx = 0, ecx = 0x9abcdef0, edx = 0;

	asm volatile("cpuid" : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
	KN_CHECK_EQ("CPUID gives L2 what L1 put into EAX", eax, 0x11111111);
	KN_CHECK_EQ("CPUID gives L2 what L1 put into EDX", edx, 0x44444444);

	for (unsigned int i = 0; i < sizeof(sent) / 8; i++)
		((uint64_t *)&sent)[i] = 0x0101010101010101ull * (i + 1);
	exchange_gprs();
	received.rsp = ~sent.rsp;
	for (unsigned int i = 0; i < sizeof(sent) / 8; i++)
		kn_expect_at(KN_SITE("L2 gets the registers that L1 set"), "register",
			     ((uint64_t *)&received)[i], ~((uint64_t *)&sent)[i], i);

	asm volatile("hlt");
	KN_CHECK("L2 goes on behind HLT", true);
	asm volatile("pause");
	asm volatile("rdtsc" : "=a" (eax), "=d" (edx));
	KN_CHECK_EQ("RDTSC gives L2 what L1 put there", eax | (uint64_t)edx << 32,
		    0xcafe00000000babeull);
	asm volatile("invlpg (%0)" : : "r" (0x123456789000ull));
	asm volatile("invd" : : : "memory");
	if (has_xsave)
		asm volatile("xsetbv" : : "c" (0), "a" (1), "d" (0));
	asm volatile("mov %0, %%dr7" : : "r" (0x400ull));
	asm volatile("mov %%cr3, %%r10\n\tmov %%r10, %%cr3" : : : "r10", "memory");
}

static void l2_io(void)
{
	uint32_t value = 0;
	void *string = &value;
	uint64_t count = 2;

	asm volatile("outb %%al, %%dx" : : "a" (1), "d" (PORT_EXITS));
	asm volatile("inl %%dx, %%eax" : "=a" (value) : "d" (PORT_WIDE));
	KN_CHECK_EQ("IN gives L2 what L1 put into EAX", value, 0x87654321);
	asm volatile("outw %%ax, $0x80" : : "a" (1));
	asm volatile("rep outsb" : "+S" (string), "+c" (count) : "d" (PORT_STRING) : "memory");
	KN_CHECK_EQ("REP OUTS ends when L1 cleared RCX", count, 0);

	/* Bitmaps from here on: PORT_EXITS is the one port that L1 sees. */
	asm volatile("vmcall");
	GUEST_SYNC(STAGE_L2_IO);
	asm volatile("inb %%dx, %%al" : "=a" (value) : "d" (PORT_EXITS));
}

static void l2_msrs(void)
{
	/* Every MSR exits, then, by L1's bitmap, only the first one, read or written. */
	KN_CHECK_EQ("RDMSR gives L2 what L1 put there", rdmsr(MSR_IA32_SYSENTER_ESP),
		    0x1234500006789ull);
	wrmsr(MSR_IA32_SYSENTER_CS, 0x77);
	asm volatile("vmcall");
	wrmsr(MSR_IA32_SYSENTER_CS, 0x10);
	KN_CHECK_EQ("an MSR that the bitmap lets through is L2's own", rdmsr(MSR_IA32_SYSENTER_CS),
		    0x10);
	rdmsr(MSR_IA32_SYSENTER_ESP);
	wrmsr(MSR_IA32_SYSENTER_ESP, 0);
	rdmsr(MSR_FS_BASE);
}

static void l2_exceptions(void)
{
	uint64_t rflags;

	asm volatile(KN_INSN("ud2") : [rflags] "=r" (rflags));
	KN_CHECK_EQ("an exception outside the bitmap is L2's", kn_outcome(rflags),
		    VM_FAULT(UD_VECTOR));
	asm volatile("vmcall");

	asm volatile("ud2");
	asm volatile("int3");
	asm volatile("movb $1, (%0)" : : "r" (UNMAPPED + 5) : "memory");
	asm volatile("movq (%%rax), %%rax" : : "a" (0x800000000000ull));
	asm volatile("vmcall");
	asm volatile(KN_INSN("movb (%[unmapped]), %%cl")
		     : [rflags] "=r" (rflags) : [unmapped] "r" (UNMAPPED) : "rcx");
	KN_CHECK_EQ("a page fault that the mask filters out is L2's", kn_outcome(rflags),
		    VM_FAULT(PF_VECTOR));
	asm volatile("movb $1, (%0)" : : "r" (UNMAPPED) : "memory");
}

static void l2_vmx_instructions(void)
{
	uint64_t operand = 0;

	asm volatile("vmread %%rcx, %%r9" : : "c" (GUEST_RIP) : "r9");
	asm volatile("vmread %%rcx, %0" : : "m" (operand), "c" (GUEST_RIP));
	asm volatile("vmwrite %%r9, %%rcx" : : "c" (GUEST_RIP));
	asm volatile("vmptrld %0" : : "m" (operand));
	asm volatile("vmptrst %0" : : "m" (operand));
	asm volatile("vmclear %0" : : "m" (operand));
	asm volatile("vmxon %0" : : "m" (operand));
	asm volatile("vmxoff");
	asm volatile("vmlaunch");
	asm volatile("vmresume");
}

static void l2_guest_code(void)
{
	l2_instructions();
	l2_io();
	l2_msrs();
	l2_exceptions();
	l2_vmx_instructions();
	asm volatile("ud2");
}

static void set_cpu_controls(uint32_t set, uint32_t clear)
{
	uint64_t allowed = rdmsr(MSR_IA32_VMX_TRUE_PROCBASED_CTLS) >> 32;

	GUEST_ASSERT((allowed & set) == set);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL, (vmreadz(CPU_BASED_VM_EXEC_CONTROL) | set) & ~clear);
}

static void l1_instructions(void)
{
	struct kn_check *xsetbv = KN_SITE("XSETBV");

	set_cpu_controls(CPU_BASED_HLT_EXITING | CPU_BASED_PAUSE_EXITING |
			 CPU_BASED_RDTSC_EXITING | CPU_BASED_INVLPG_EXITING |
			 CPU_BASED_MOV_DR_EXITING | CPU_BASED_CR3_LOAD_EXITING |
			 CPU_BASED_CR3_STORE_EXITING, 0);

	KN_CHECK_EXIT("CPUID", kn_l2_launch(&gprs), EXIT_REASON_CPUID, 0, 2);
	KN_CHECK_EQ("L1 sees L2's EAX", (uint32_t)gprs.rax, 0x12345678);
	KN_CHECK_EQ("L1 sees L2's ECX", (uint32_t)gprs.rcx, 0x9abcdef0);
	gprs.rax = 0x11111111;
	gprs.rdx = 0x44444444;

	KN_CHECK_EXIT("VMCALL", kn_l2_skip_and_resume(&gprs), EXIT_REASON_VMCALL, 0, 3);
	gprs.rsp = sent.rsp;
	for (unsigned int i = 0; i < sizeof(gprs) / 8; i++) {
		kn_expect_at(KN_SITE("L1 gets the registers that L2 set"), "register",
			     ((uint64_t *)&gprs)[i], ((uint64_t *)&sent)[i], i);
		((uint64_t *)&gprs)[i] = ~((uint64_t *)&sent)[i];
	}

	KN_CHECK_EXIT("HLT", kn_l2_skip_and_resume(&gprs), EXIT_REASON_HLT, 0, 1);
	KN_CHECK_EXIT("PAUSE", kn_l2_skip_and_resume(&gprs), EXIT_REASON_PAUSE_INSTRUCTION, 0, 2);
	KN_CHECK_EXIT("RDTSC", kn_l2_skip_and_resume(&gprs), EXIT_REASON_RDTSC, 0, 2);
	gprs.rax = 0x0000babe;
	gprs.rdx = 0xcafe0000;
	KN_CHECK_EXIT("INVLPG", kn_l2_skip_and_resume(&gprs), EXIT_REASON_INVLPG, 0x123456789000,
		      3);
	KN_CHECK_EXIT("INVD", kn_l2_skip_and_resume(&gprs), EXIT_REASON_INVD, 0, 2);
	if (has_xsave)
		kn_expect_exit(xsetbv, kn_l2_skip_and_resume(&gprs), EXIT_REASON_XSETBV, 3);
	else
		kn_skip(xsetbv, "L1 has no XSAVE");
	KN_CHECK("MOV to DR7", kn_l2_skip_and_resume(&gprs) == VM_SUCCEED &&
		 vmreadz(VM_EXIT_REASON) == EXIT_REASON_DR_ACCESS &&
		 (vmreadz(EXIT_QUALIFICATION) & 0x17) == 7);
	/* CR3, MOV from CR, R10; then MOV to CR. */
	KN_CHECK_EXIT("MOV from CR3", kn_l2_skip_and_resume(&gprs), EXIT_REASON_CR_ACCESS,
		      3 | 1 << 4 | 10 << 8, 4);
	gprs.r10 = get_cr3();
	KN_CHECK_EXIT("MOV to CR3", kn_l2_skip_and_resume(&gprs), EXIT_REASON_CR_ACCESS,
		      3 | 0 << 4 | 10 << 8, 4);
}

static void l1_io(void)
{
	set_cpu_controls(CPU_BASED_UNCOND_IO_EXITING, CPU_BASED_CR3_LOAD_EXITING |
			 CPU_BASED_CR3_STORE_EXITING | CPU_BASED_HLT_EXITING |
			 CPU_BASED_PAUSE_EXITING | CPU_BASED_RDTSC_EXITING);

	KN_CHECK_EXIT("OUT of a byte at port DX", kn_l2_skip_and_resume(&gprs),
		      EXIT_REASON_IO_INSTRUCTION, IO_PORT(PORT_EXITS), 1);
	KN_CHECK_EXIT("IN of four bytes", kn_l2_skip_and_resume(&gprs),
		      EXIT_REASON_IO_INSTRUCTION, IO_PORT(PORT_WIDE) | IO_IN | 3, 1);
	gprs.rax = 0x87654321;
	KN_CHECK_EXIT("OUT of a word at an immediate port", kn_l2_skip_and_resume(&gprs),
		      EXIT_REASON_IO_INSTRUCTION, IO_PORT(0x80) | IO_IMMEDIATE | 1, 3);
	KN_CHECK_EXIT("REP OUTS", kn_l2_skip_and_resume(&gprs), EXIT_REASON_IO_INSTRUCTION,
		      IO_PORT(PORT_STRING) | IO_STRING | IO_REP, 2);
	KN_CHECK_EQ("REP OUTS tells its address", vmreadz(GUEST_LINEAR_ADDRESS), gprs.rsi);
	gprs.rcx = 0;

	KN_CHECK_EQ("VMCALL after I/O", kn_l2_skip_and_resume(&gprs), VM_SUCCEED);
	memset(io_bitmaps, 0, 2 * PAGE_SIZE);
	io_bitmaps[PORT_EXITS / 8] |= 1 << PORT_EXITS % 8;
	vmwrite(IO_BITMAP_A, io_bitmaps_gpa);
	vmwrite(IO_BITMAP_B, io_bitmaps_gpa + PAGE_SIZE);
	set_cpu_controls(CPU_BASED_USE_IO_BITMAPS, CPU_BASED_UNCOND_IO_EXITING);
	KN_CHECK_EXIT("IN by the I/O bitmap", kn_l2_skip_and_resume(&gprs),
		      EXIT_REASON_IO_INSTRUCTION, IO_PORT(PORT_EXITS) | IO_IN, 1);
}

static void l1_msrs(struct vmx_pages *vmx)
{
	uint8_t *read_low = vmx->msr, *write_low = vmx->msr + 0x800;
	uint8_t *read_high = vmx->msr + 0x400;

	set_cpu_controls(0, CPU_BASED_USE_MSR_BITMAPS);
	KN_CHECK_EXIT("RDMSR", kn_l2_skip_and_resume(&gprs), EXIT_REASON_MSR_READ, 0, 2);
	KN_CHECK_EQ("RDMSR tells the MSR", (uint32_t)gprs.rcx, MSR_IA32_SYSENTER_ESP);
	gprs.rax = 0x00006789;
	gprs.rdx = 0x12345;
	KN_CHECK_EXIT("WRMSR", kn_l2_skip_and_resume(&gprs), EXIT_REASON_MSR_WRITE, 0, 2);
	KN_CHECK_EQ("WRMSR tells the value", (uint32_t)gprs.rax, 0x77);

	KN_CHECK_EQ("VMCALL after MSRs", kn_l2_skip_and_resume(&gprs), VM_SUCCEED);
	memset(vmx->msr, 0, PAGE_SIZE);
	read_low[MSR_IA32_SYSENTER_ESP / 8] |= 1 << MSR_IA32_SYSENTER_ESP % 8;
	write_low[MSR_IA32_SYSENTER_ESP / 8] |= 1 << MSR_IA32_SYSENTER_ESP % 8;
	read_high[(MSR_FS_BASE & 0x1fff) / 8] |= 1 << MSR_FS_BASE % 8;
	set_cpu_controls(CPU_BASED_USE_MSR_BITMAPS, 0);
	KN_CHECK_EXIT("RDMSR by the bitmap", kn_l2_skip_and_resume(&gprs), EXIT_REASON_MSR_READ, 0,
		      2);
	KN_CHECK_EXIT("WRMSR by the bitmap", kn_l2_skip_and_resume(&gprs), EXIT_REASON_MSR_WRITE,
		      0, 2);
	KN_CHECK_EXIT("RDMSR by the bitmap's high part", kn_l2_skip_and_resume(&gprs),
		      EXIT_REASON_MSR_READ, 0, 2);
}

static void check_exception(struct kn_check *check, uint64_t outcome, uint32_t info,
			    uint64_t error_code, uint64_t qualification)
{
	kn_expect(check, outcome, VM_SUCCEED);
	kn_expect(check, vmreadz(VM_EXIT_REASON), EXIT_REASON_EXCEPTION_NMI);
	kn_expect(check, vmreadz(VM_EXIT_INTR_INFO), info);
	if (info & INTR_ERROR_CODE)
		kn_expect(check, vmreadz(VM_EXIT_INTR_ERROR_CODE), error_code);
	kn_expect(check, vmreadz(EXIT_QUALIFICATION), qualification);
}

/* Resumes L2 behind an instruction that faulted, whose length the VMCS does not tell. */
static uint64_t skip_fault(unsigned int length)
{
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + length);
	return kn_l2_resume(&gprs);
}

static void l1_exceptions(void)
{
	KN_CHECK_EQ("VMCALL after an exception of L2's own", kn_l2_skip_and_resume(&gprs),
		    VM_SUCCEED);
	vmwrite(EXCEPTION_BITMAP, BIT(UD_VECTOR) | BIT(BP_VECTOR) | BIT(PF_VECTOR) |
		BIT(GP_VECTOR));
	vmwrite(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);

	check_exception(KN_SITE("#UD"), kn_l2_skip_and_resume(&gprs),
			INTR_VALID | INTR_HARD_EXCEPTION | UD_VECTOR, 0, 0);
	check_exception(KN_SITE("#BP"), skip_fault(2),
			INTR_VALID | INTR_SOFT_EXCEPTION | BP_VECTOR, 0, 0);
	KN_CHECK_EQ("#BP has an instruction length", vmreadz(VM_EXIT_INSTRUCTION_LEN), 1);
	check_exception(KN_SITE("#PF"), kn_l2_skip_and_resume(&gprs), INTR_VALID |
			INTR_ERROR_CODE | INTR_HARD_EXCEPTION | PF_VECTOR, 2,
			(uint64_t)UNMAPPED + 5);
	check_exception(KN_SITE("#GP"), skip_fault(3), INTR_VALID | INTR_ERROR_CODE |
			INTR_HARD_EXCEPTION | GP_VECTOR, 0, 0);
	KN_CHECK_EQ("VMCALL after exceptions", skip_fault(3), VM_SUCCEED);

	/* Only the page faults of writes. */
	vmwrite(PAGE_FAULT_ERROR_CODE_MASK, 2);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 2);
	check_exception(KN_SITE("#PF by mask and match"), kn_l2_skip_and_resume(&gprs),
			INTR_VALID | INTR_ERROR_CODE | INTR_HARD_EXCEPTION | PF_VECTOR, 2,
			(uint64_t)UNMAPPED);
	vmwrite(EXCEPTION_BITMAP, 0);
}

static void l1_vmx_instructions(void)
{
	struct kn_check *info = KN_SITE("VMREAD, VMWRITE: instruction information");

	KN_CHECK_EQ("VMREAD, register form", skip_fault(3), VM_SUCCEED);
	KN_CHECK_EQ("VMREAD: reason", vmreadz(VM_EXIT_REASON), EXIT_REASON_VMREAD);
	/* RCX holds the field; register form, into R9. */
	kn_expect(info, vmreadz(VMX_INSTRUCTION_INFO) & 0xf0000478, 1u << 28 | 1 << 10 | 9 << 3);
	KN_CHECK_EQ("VMREAD, memory form", kn_l2_skip_and_resume(&gprs), VM_SUCCEED);
	kn_expect(info, vmreadz(VMX_INSTRUCTION_INFO) & 0xf0000400, 1u << 28);
	KN_CHECK_VMX_EXIT("VMWRITE", kn_l2_skip_and_resume(&gprs), EXIT_REASON_VMWRITE, 4);
	kn_expect(info, vmreadz(VMX_INSTRUCTION_INFO) & 0xf0000478, 1u << 28 | 1 << 10 | 9 << 3);

#define SKIP_TO(_name, _reason)						\
	do {								\
		struct kn_check *__check = KN_SITE(_name);		\
									\
		kn_expect(__check, kn_l2_skip_and_resume(&gprs), VM_SUCCEED);	\
		kn_expect(__check, vmreadz(VM_EXIT_REASON), _reason);	\
	} while (0)
	SKIP_TO("VMPTRLD", EXIT_REASON_VMPTRLD);
	SKIP_TO("VMPTRST", EXIT_REASON_VMPTRST);
	SKIP_TO("VMCLEAR", EXIT_REASON_VMCLEAR);
	SKIP_TO("VMXON", EXIT_REASON_VMON);
	SKIP_TO("VMXOFF", EXIT_REASON_VMOFF);
	SKIP_TO("VMLAUNCH", EXIT_REASON_VMLAUNCH);
	SKIP_TO("VMRESUME", EXIT_REASON_VMRESUME);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	has_xsave = this_cpu_has(X86_FEATURE_XSAVE);
	if (has_xsave)
		set_cr4(get_cr4() | X86_CR4_OSXSAVE);
	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	l1_instructions();
	l1_io();
	l1_msrs(vmx);
	l1_exceptions();
	l1_vmx_instructions();

	/* Without an IDT, #UD becomes a triple fault. */
	vmwrite(GUEST_IDTR_LIMIT, 0);
	KN_CHECK_EQ("triple fault", kn_l2_skip_and_resume(&gprs), VM_SUCCEED);
	KN_CHECK_EQ("triple fault: reason", vmreadz(VM_EXIT_REASON), EXIT_REASON_TRIPLE_FAULT);
	KN_CHECK_EQ("triple fault: qualification", vmreadz(EXIT_QUALIFICATION), 0);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	io_bitmaps = (void *)vm_vaddr_alloc(vm, 2 * PAGE_SIZE, KVM_UTIL_MIN_VADDR);
	io_bitmaps_gpa = addr_gva2gpa(vm, (vm_vaddr_t)io_bitmaps);
	sync_global_to_guest(vm, io_bitmaps);
	sync_global_to_guest(vm, io_bitmaps_gpa);

	KN_CHECK_EQ("L2's I/O that its bitmap lets through is user space's", kn_run(vcpu),
		    STAGE_L2_IO);
	kn_run(vcpu);

	KN_COUNTED(vm, "l2exit.CPUID.l1", 1);
	KN_COUNTED(vm, "l2exit.VMCALL.l1", 5);
	KN_COUNTED(vm, "l2exit.IO_INSTRUCTION.l1", 5);
	KN_COUNTED(vm, "l2exit.IO_INSTRUCTION.l0", 1);
	KN_COUNTED(vm, "l2exit.TRIPLE_FAULT.l1", 1);
	KN_COUNTED(vm, "exit.VMRESUME.stock", 35);
	KN_COUNTED(vm, "exit.VMREAD.module", 1);
	KN_COUNTED(vm, "exit.VMWRITE.module", 100);
	kn_finish(vm);
}
