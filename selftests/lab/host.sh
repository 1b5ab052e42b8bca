# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # options come from lab
#
# One run of the emulated host: its disks, its configuration, its console.

# Parts of the kernel's start that no test needs and that cost a second or more.
skipped_initcalls=(
	jent_mod_init			# measures timer jitter at length
	load_system_certificate_list	# RSA keys for module signatures, which stripping drops
	trace_eval_init			# enum names in the tracepoints' format files
)

# The emulator has no side channels to mitigate and its TSC never drifts, and addresses that don't
# change make two runs comparable. Its MWAIT misses what other CPUs write: a CPU that sleeps in it
# wakes up at its next timer only, and booting four took six minutes.
kernel_options="console=ttyS0,115200 loglevel=3 rdinit=/init mitigations=off nokaslr tsc=reliable \
no_timer_check idle=halt tsc_early_khz=100000 cryptomgr.notests \
initcall_blacklist=$(IFS=,; echo "${skipped_initcalls[*]}")"
markers_max=10000			# pairs in one profile
out_disk_size=$((516096 * 512))		# whole cylinders, see diskimage.py

default_model()
{
	# Only tigerlake has IBT, but more than two of it don't get past early boot.
	if [ "$kernel" = 6.1 ] || [ "$cpus" -gt 2 ]; then
		echo corei7_skylake_x
	else
		echo tigerlake
	fi
}

# As many hosts as cores, on the machine and for all its users: folders can be locked by anybody.
# Who waits, waits in a queue for the right to look for a free one.
take_slot()
{
	local slots=/tmp/kvm-nested-lab.slots queue fd i

	for ((i = 0; i < $(nproc); i++)); do
		mkdir -p "$slots/$i"
	done
	exec {queue}<"$slots"
	flock -n "$queue" || {
		say "waiting for a free emulated host, there are at most $(nproc)"
		flock "$queue"
	}
	while :; do
		for i in "$slots"/*; do
			exec {fd}<"$i"
			if flock -n "$fd"; then
				exec {queue}<&-
				return
			fi
			exec {fd}<&-
		done
		sleep 0.5
	done
}

# Words, quoted for the guest's shell.
quote()
{
	local word

	for word; do
		printf "'%s' " "${word//\'/\'\\\'\'}"
	done
}

# put SRC[:DST]
put()
{
	local from=${1%%:*} to=

	[[ $1 == *:* ]] && to=${1#*:}
	[ -e "$from" ] || die "no such file: $from"
	to=$work/guest/${to:-$(basename "$from")}
	mkdir -p "$(dirname "$to")"
	cp -aHT "$from" "$to"
}

build_run_disk()
{
	local module=$lab/../../build/$release/kvm-nested.ko file

	mkdir -p "$work/guest/lab"
	if [ -e "$module" ]; then
		mkdir -p "$work/guest/lib/modules/$release/extra"
		cp "$module" "$work/guest/lib/modules/$release/extra/"
	elif [ "$load" ]; then
		die "--load: $module has not been built"
	fi
	for file in "${files[@]}"; do
		put "$file"
	done
	if [ ${#command[@]} -eq 1 ]; then
		echo "${command[0]}"
	else
		quote "${command[@]}"
	fi >"$work/guest/lab/command"
	cat >"$work/guest/lab/options" <<-O
		token=$token
		kvm=$kvm
		load=$load
		profile=$profiling
		interactive=$interactive
		timeout=$timeout
	O
	archive "$work/guest" >"$work/run.cpio"
	"$lab/diskimage.py" run "$kernel_options" "$work/run.cpio" "$work/run.img"
}

# The debugger build starts at its prompt, so even a plain run needs a command file. The rfb display
# needs neither a terminal nor a client.
write_configuration()
{
	cat >"$work/bochsrc" <<-B
		config_interface: textconfig
		display_library: rfb, options="timeout=0"
		plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=0, parallel=0, serial=1
		romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
		vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
		memory: guest=$mem, host=$mem
		cpu: model=$model, count=$cpus, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=1
		ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
		ata0-master: type=disk, mode=flat, path="$work/boot.img"
		ata0-slave: type=disk, mode=flat, path="$work/run.img"
		ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
		ata1-master: type=disk, mode=flat, path="$work/out.img"
		boot: disk
		clock: sync=none, time0=1
		com1: enabled=1, $1
		magic_break: enabled=${profiling:-0}
		log: $work/bochs.log
		panic: action=fatal
		error: action=ignore
		info: action=ignore
		debug: action=ignore
	B
	if [ "$profiling" ]; then
		# Stop at a marker, trace up to the next, and so on.
		echo c
		yes $'trace on\nc\ntrace off\nc' | head -n $((4 * markers_max)) || true
	else
		echo c
	fi >"$work/debugger"
}

# prepare SERIAL-LINE: everything up to power-on. Sets $emulator.
prepare()
{
	install_packages
	with_cache_lock ensure boot_disk "$kernel"
	: "${model:=$(default_model)}"
	work=$(mktemp -d "${TMPDIR:-/tmp}/kvm-nested-lab.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	token=lab-$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
	build_run_disk
	ln -s "$boot_disk" "$work/boot.img"	# Bochs locks an image by its path
	truncate -s "$out_disk_size" "$work/out.img"
	write_configuration "${1//@WORK@/$work}"
	emulator=(setpriv --pdeathsig KILL bochs-bin -q -f "$work/bochsrc" -rc "$work/debugger")
	take_slot
}

# unpack_out FOLDER [TAR-OPTION]...: what hand wrote, if it was complete: a tar archive behind a
# sector with its size.
unpack_out()
{
	local size

	size=$(od -An -N8 -tu8 "$work/out.img" | tr -d ' ')
	[ "$size" -gt 0 ] || return 0
	mkdir -p "$1"
	dd if="$work/out.img" of="$work/out.tar" bs=512 skip=1 count=$(((size + 511) / 512)) status=none
	tar -xf "$work/out.tar" --no-same-owner -C "$1" "${@:2}"
}

# Sets $status. Further arguments are watch.py's.
run_host()
{
	status=0
	mkfifo "$work/console"
	setpriv --pdeathsig TERM "$lab/watch.py" --console "$work/console" --token "$token" --name "$release" \
		--timeout "$timeout" "$@" -- "${emulator[@]}" || status=$?
	[ -z "$out" ] || unpack_out "$out" --exclude=./.kallsyms
}

run_command()
{
	profiling='' interactive=''
	prepare "mode=file, dev=@WORK@/console"
	run_host
	exit "$status"
}

# The summary comes when its standard input ends, that is after the guest's symbols are there.
profile_command()
{
	profiling=1 interactive=''
	[ "$cpus" = 1 ] || die "a profile is of one CPU"
	prepare "mode=file, dev=@WORK@/console"
	mkfifo "$work/trace"
	"$lab/profile.py" "$work/symbols/.kallsyms" ${json:+--json "$json"} <"$work/trace" &
	exec 3>"$work/trace"
	run_host --trace
	unpack_out "$work/symbols"
	exec 3>&-
	wait $! || [ "$status" -ne 0 ] || status=125
	exit "$status"
}

shell()
{
	profiling='' interactive=1 command=(sh)
	prepare "mode=term, dev=/dev/tty"
	say "$release on $model; exit or ctrl-D powers it off"
	"${emulator[@]}" >/dev/null 2>&1 </dev/null || true
	stty sane
}
