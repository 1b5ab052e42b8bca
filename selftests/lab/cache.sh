# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # $lab comes from lab
#
# What lab keeps between runs: packages, unpacked kernels, boot images.
#
#   $cache/series/6.12		release of the series (uname -r), renewed by `lab setup`
#   $cache/RELEASE/root		image and headers packages, unpacked
#   $cache/RELEASE/source	kernel source package, unpacked
#   $cache/RELEASE/vmlinux	uncompressed kernel
#   $cache/RELEASE/boot-HASH.img	boot disk, by what it was made from
#
# Each is built beside its place and moved there complete; a lock keeps two builders apart.

cache=${KVM_NESTED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvm-nested}
cache_series="6.1 6.12"

with_cache_lock()
{
	local fd

	mkdir -p "$cache"
	exec {fd}>"$cache/lock"
	flock "$fd"
	"$@"
	exec {fd}>&-
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "'$*' needs root, and there is no sudo"
	fi
}

# Names of the packages file that are not installed.
missing_packages()
{
	local names

	mapfile -t names < <(sed 's/[[:space:]]*#.*//; /^$/d' "$lab/packages" | sort)
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${names[@]}" 2>/dev/null |
		sed -n 's/ installed$//p' | sort | comm -13 - <(printf '%s\n' "${names[@]}")
}

update_package_lists()
{
	say "fetching the package lists"
	as_root apt-get -q update >&2
}

install_packages()
{
	local missing

	mapfile -t missing < <(missing_packages)
	[ ${#missing[@]} -eq 0 ] && return
	say "installing ${missing[*]}"
	apt-cache show "${missing[@]}" >/dev/null 2>&1 || update_package_lists
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -qy install --no-install-recommends "${missing[@]}" >&2
}

# depends PACKAGE PATTERN: the dependencies of a package that match.
depends()
{
	apt-cache depends --no-recommends --no-suggests "$1" |
		sed -n 's/^[ |]*Depends: //p' | grep -E "$2"
}

# image_meta SERIES, headers_meta SERIES: Debian's own series has no number in its meta packages.
meta_package()
{
	case $2 in
	6.1)	echo "linux-$1-amd64" ;;
	*)	echo "linux-$1-$2-amd64" ;;
	esac
}

resolve_series()
{
	local image

	apt-cache show "$(meta_package image "$1")" >/dev/null 2>&1 || update_package_lists
	image=$(depends "$(meta_package image "$1")" '^linux-image-') ||
		die "no kernel package for $1"
	mkdir -p "$cache/series"
	echo "${image#linux-image-}" >"$cache/series/$1"
}

# fetch FOLDER PACKAGE...: download and unpack.
fetch()
{
	local to=$1 debs deb

	shift
	say "fetching $*"
	debs=$(mktemp -d "$cache/debs.XXXXXX")
	(cd "$debs" && apt-get -qq -o APT::Sandbox::User=root download "$@") >&2 ||
		die "can't download $*"
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$to"
	done
	rm -r "$debs"
}

# The packages expect to lie at /: make what they hold work from where they are.
relocate_headers()
{
	local root=$1 place=$2 link

	sed -i "s|^include /usr/src/|include $place/usr/src/|" "$root"/usr/src/linux-headers-*/Makefile
	for link in "$root"/lib/modules/*/build "$root"/lib/modules/*/source; do
		ln -sfn "../../..$(readlink "$link")" "$link"
	done
}

build_root()
{
	local release=$1 new=$cache/$1/root.new headers=linux-headers-$1

	rm -rf "$new"
	mkdir -p "$new"
	# shellcheck disable=SC2046 # package names
	fetch "$new" "linux-image-$release" "$headers" \
		$(depends "$headers" '^linux-(headers-.*-common|kbuild-)')
	relocate_headers "$new" "$cache/$release/root"
	mv "$new" "$cache/$release/root"
}

build_vmlinux()
{
	"$lab/diskimage.py" vmlinux "$cache/$1/root/boot/vmlinuz-$1" "$cache/$1/vmlinux.new"
	mv "$cache/$1/vmlinux.new" "$cache/$1/vmlinux"
}

build_source()
{
	local release=$1 series=$2 new=$cache/$1/source.new

	rm -rf "$new"
	mkdir -p "$new/package"
	fetch "$new/package" "linux-source-$series"
	tar -xf "$new/package/usr/src/linux-source-$series.tar.xz" -C "$new" --strip-components=1
	rm -r "$new/package"
	mv "$new" "$cache/$release/source"
}

build_stub()
{
	local out=$1

	gcc -E -P -x c -o "$out/stub.lds" "$lab/boot/stub.lds.S"
	gcc -m32 -march=i686 -Os -Wall -Wextra -ffreestanding -fno-pic -fno-stack-protector \
		-fcf-protection=none -fno-asynchronous-unwind-tables -nostdlib -static -no-pie \
		-Wl,--build-id=none -Wl,-T,"$out/stub.lds" -o "$out/stub.elf" \
		"$lab/boot/entry.S" "$lab/boot/load.c"
	objcopy -O binary "$out/stub.elf" "$out/stub"
}

# archive FOLDER: everything in it as an initramfs, owned by root.
archive()
{
	(cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet)
}

# guest_module FROM TO: a module without debug sections, which cost the guest seconds to load.
guest_module()
{
	mkdir -p "$(dirname "$2")"
	if [ -e "$1.xz" ]; then
		xz -dc "$1.xz" >"$2"
	else
		cp "$1" "$2"
	fi
	strip -g "$2"
}

build_boot_disk()
{
	local release=$1 disk=$2 work base modules module applet

	work=$(mktemp -d "$cache/boot.XXXXXX")
	base=$work/base
	modules=lib/modules/$release/kernel
	mkdir -p "$base"/{bin,dev,lab,out,proc,sys,tmp}
	cp /bin/busybox "$base/bin/"
	for applet in $(/bin/busybox --list); do
		[ "$applet" = busybox ] || ln -s busybox "$base/bin/$applet"
	done
	cp "$lab/init" "$base/init"
	gcc -Os -s -static -Wall -Wextra -o "$base/bin/hand" "$lab/boot/hand.c"
	for module in virt/lib/irqbypass arch/x86/kvm/kvm arch/x86/kvm/kvm-intel; do
		guest_module "$cache/$release/root/$modules/$module.ko" "$base/$modules/$module.ko"
	done
	archive "$base" >"$work/base.cpio"
	build_stub "$work"
	"$lab/diskimage.py" boot "$work/stub" "$cache/$release/vmlinux" "$work/base.cpio" "$work/boot.img"
	mv "$work/boot.img" "$disk"
	rm -r "$work"
	find "$cache/$release" -name 'boot-*.img' -mtime +7 -delete
}

# Checkouts of different age may share the cache, so contents count and not times.
boot_disk_path()
{
	local hash

	hash=$(cat "$lab"/{init,cache.sh,diskimage.py,boot/*} /bin/busybox | sha256sum)
	echo "$cache/$1/boot-${hash:0:12}.img"
}

# ensure KEY SERIES: sets $release (and $boot_disk), and builds KEY with what it depends on. Cache
# lock held.
ensure()
{
	[ -e "$cache/series/$2" ] || resolve_series "$2"
	read -r release <"$cache/series/$2"
	mkdir -p "$cache/$release"
	case $1 in
	release) ;;
	root)
		[ -d "$cache/$release/root" ] || build_root "$release" ;;
	vmlinux)
		ensure root "$2"
		[ -e "$cache/$release/vmlinux" ] || build_vmlinux "$release" ;;
	source)
		[ -d "$cache/$release/source" ] || build_source "$release" "$2" ;;
	boot_disk)
		ensure vmlinux "$2"
		boot_disk=$(boot_disk_path "$release")
		[ -e "$boot_disk" ] || build_boot_disk "$release" "$boot_disk"
		touch "$boot_disk" ;;
	esac
}

cache_path()
{
	case $1 in
	release|root|vmlinux|source) ;;
	*) die "no such path: $1 (release, root, vmlinux, source)" ;;
	esac
	with_cache_lock ensure "$1" "$2"
	if [ "$1" = release ]; then
		echo "$release"
	else
		echo "$cache/$release/$1"
	fi
}

setup()
{
	local series

	install_packages
	update_package_lists
	for series in $cache_series; do
		with_cache_lock resolve_series "$series"
		with_cache_lock ensure boot_disk "$series"
		say "$series is $release"
	done
}
