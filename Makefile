# SPDX-License-Identifier: GPL-2.0-only
#
# make			the module for the running kernel, as build/KVER/kvm-nested.ko
# make KVER=...		... for another installed kernel
# make KVER=... KROOT=...	... for one whose packages are unpacked below KROOT
# make demo		the module at work in the emulated host
# make check		all tests, on both kernels
# make guests		real guest hypervisors, on both kernels
# make bench		stock against module
# make fuzz		the pure files fuzzed, SECONDS_EACH=600
# make oracle SEEDS=N	stock against module in all that N random programs observe, on both kernels
#			or on KERNEL=6.1 or KERNEL=6.12; FIRST= is the first seed

KVER ?= $(shell uname -r)
KROOT ?=
KDIR ?= $(KROOT)/lib/modules/$(KVER)/build

# One folder of links for each kernel, so that builds for two don't mix.
B := $(CURDIR)/build/$(KVER)

all: module

module:
	@test -e $(KDIR)/Makefile || { echo "no kernel headers in $(KDIR):" \
		"install linux-headers-$(KVER), or say KVER= and KROOT=" >&2; exit 1; }
	@mkdir -p $(B)
	@cp -rsfu $(CURDIR)/Kbuild $(CURDIR)/include $(CURDIR)/kvm-nested $(B)/
	$(MAKE) -C $(KDIR) M=$(B) KROOT=$(KROOT) modules

demo:
	selftests/demo/demo

check:
	selftests/check

guests:
	selftests/guests/run

bench:
	selftests/bench/bench

SECONDS_EACH ?= 600

fuzz:
	selftests/fuzz/run --seconds $(SECONDS_EACH)

SEEDS ?= 200
FIRST ?= 1
oracle:
	selftests/oracle/run $(KERNEL:%=--kernel %) --seeds $(SEEDS) --first $(FIRST)

clean:
	rm -rf build

.PHONY: all module demo check guests bench fuzz oracle clean
