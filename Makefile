# SPDX-License-Identifier: GPL-2.0-or-later
# One static core (lib/), one executable (virtx), no generated build system.
# `make help` lists the targets. Variables: CC, CFLAGS, O (output folder), V=1, DESTDIR, PREFIX.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
SYSCONFDIR ?= /etc
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
DOCDIR ?= $(PREFIX)/share/doc/virtx
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
O ?= build
CFLAGS ?= -O2 -g
VERSION := 0.1.0

ifeq ($(V),1)
Q :=
else
Q := @
endif
# A build uses all processors unless it was told otherwise.
ifeq ($(filter -j%,$(MAKEFLAGS))$(filter-out 0,$(MAKELEVEL)),)
MAKEFLAGS += -j$(shell nproc)
endif

# libvirt and its 50 libraries are loaded only by the roles that talk to it
# (lib/hypervisor/libvirt_load.c), so only its headers are needed here.
PKGS := json-c libxml-2.0 libcrypto uuid libsystemd libsanlock_client msgpack
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wformat=2 -Wundef -Wpointer-arith -Wwrite-strings
HARDENING := -fstack-protector-strong -fstack-clash-protection -fPIE
ifneq ($(filter x86_64 i686,$(shell uname -m)),)
HARDENING += -fcf-protection
endif
# Variants: `plain`, or built with a sanitizer; each in an output folder of its own.
VARIANT ?= plain
ifeq ($(VARIANT),plain)
HARDENING += -D_FORTIFY_SOURCE=2
else ifeq ($(VARIANT),asan)
CFLAGS = -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(VARIANT),tsan)
CFLAGS = -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=thread
else ifeq ($(VARIANT),cov)
CFLAGS = -O0 -g --coverage
else ifeq ($(VARIANT),fuzz)
CFLAGS = -O1 -g
SANITIZE := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
else
$(error VARIANT is plain, asan, tsan, cov or fuzz)
endif
ALL_CPPFLAGS := -D_GNU_SOURCE -DVIRTX_VERSION='"$(VERSION)"' -Ilib -I. -include base/banned.h \
	$(shell pkg-config --cflags libvirt $(PKGS) 2>/dev/null) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu17 -pthread $(WARNINGS) $(HARDENING) $(CFLAGS) $(SANITIZE)
ALL_LDFLAGS = -pthread -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS)
# libtirpc: the sanitizers look its functions up at the start, before libvirt brings it in.
ifdef SANITIZE
ALL_LDFLAGS += -Wl,--no-as-needed -l:libtirpc.so.3 -Wl,--as-needed
endif
LDLIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -ldl

LIB_SRC := $(wildcard lib/*/*.c)
APPLET_SRC := $(wildcard applets/*.c applets/*/*.c)
MAIN_SRC := virtx.c
UNIT_SRC := $(wildcard tests/unit/test_*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(O)/%.o)
APPLET_OBJ := $(APPLET_SRC:%.c=$(O)/%.o)
MAIN_OBJ := $(MAIN_SRC:%.c=$(O)/%.o)
UNIT_BIN := $(UNIT_SRC:%.c=$(O)/%)

.PHONY: all
all: $(O)/virtx $(O)/virtxd $(O)/virtx-check-lvb

# Made anew when compiler, flags or the set of sources change, not only when a source does.
$(O)/flags: NOW = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(O)/sources: NOW = $(LIB_SRC) $(APPLET_SRC)
$(O)/flags $(O)/sources: tools
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(NOW))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(NOW))' > $@
.PHONY: tools
tools:
	@{ command -v $(firstword $(CC)) && pkg-config --exists libvirt $(PKGS); } >/dev/null 2>&1 || \
		{ echo 'The compiler or libraries are missing: "make deps" installs them.' >&2; exit 1; }

$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	@[ -n "$(Q)" ] && echo "  CC      $<" || :
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Made anew each time, so that no object of a removed source stays in it.
$(O)/libvirtx.a: $(LIB_OBJ) $(O)/sources
	@[ -n "$(Q)" ] && echo "  AR      $@" || :
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

$(O)/virtx: $(MAIN_OBJ) $(APPLET_OBJ) $(O)/libvirtx.a
	@[ -n "$(Q)" ] && echo "  LD      $@" || :
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

# Unit tests see every symbol of the core and of the applets.
$(O)/tests/unit/test_%: $(O)/tests/unit/test_%.o $(APPLET_OBJ) $(O)/libvirtx.a
	@[ -n "$(Q)" ] && echo "  LD      $@" || :
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

# The API description is part of the program.
$(O)/applets/virtxd/openapi.o: openapi.yaml

.PHONY: objects
objects: $(LIB_OBJ) $(APPLET_OBJ) $(MAIN_OBJ)

# Fuzzers: libFuzzer, so clang; each with its seeds in tests/fuzz/corpus.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(O)/%)
FUZZ_SECONDS ?= 60
$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(APPLET_OBJ) $(O)/libvirtx.a
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# Baselines and tools of the benchmarks.
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH_BIN := $(BENCH_SRC:%.c=$(O)/%)
$(O)/tests/bench/%: $(O)/tests/bench/%.o $(APPLET_OBJ) $(O)/libvirtx.a
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS) -lcivetweb

# The storage that fails when it is told to. linux/fuse.h has a member that banned.h would refuse, so it comes first.
TESTSTORE_OBJ := $(patsubst %.c,$(O)/%.o,$(wildcard tests/tools/teststore*.c))
TESTSTORE := $(O)/tests/tools/teststore
$(TESTSTORE_OBJ): ALL_CPPFLAGS := -include linux/fuse.h $(ALL_CPPFLAGS) $(shell pkg-config --cflags fuse3)
$(TESTSTORE): $(TESTSTORE_OBJ) $(O)/libvirtx.a
	@[ -n "$(Q)" ] && echo "  LD      $@" || :
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs fuse3) $(LDLIBS)

.PHONY: build-for-tests
build-for-tests: $(O)/virtx $(UNIT_BIN) $(TESTSTORE) $(O)/virtxd $(O)/virtx-check-lvb

# Names of the one executable.
$(O)/virtxd $(O)/virtx-check-lvb: $(O)/virtx
	$(Q)ln -sf virtx $@

.PHONY: deps check check-long demo asan tsan fuzz lint cov bench bench-scale
deps:
	$(Q)tests/tools/deps

# What fits in 20 minutes: lint, unit and e2e tests, most of the latter two also under sanitizers.
check: deps
	$(Q)tests/run check

# What takes longer.
check-long: deps
	$(Q)tests/run check long

lint: deps
	$(Q)tests/run --variant plain $$(awk '/^lint\// {print $$1}' tests/suites)

asan tsan: deps
	$(Q)tests/run check --variant $@

# The demo needs less than the tests.
demo:
	$(Q)tests/tools/deps demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)O=$(O) examples/demo

fuzz: deps
	$(Q)$(MAKE) --no-print-directory O=$(O)-fuzz CC=clang VARIANT=fuzz fuzz-run
.PHONY: fuzz-run
fuzz-run: $(FUZZ_BIN)
	$(Q)tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_BIN)

cov: deps
	$(Q)tests/tools/coverage

bench: deps $(O)/virtx $(O)/virtxd $(BENCH_BIN)
	$(Q)O=$(O) VIRTX=$(abspath $(O))/virtx tests/bench/run

# HOSTS="10 30 100" VMS=100 and what else tests/bench/scale names.
bench-scale: deps $(O)/virtx
	$(Q)O=$(O) VIRTX=$(abspath $(O))/virtx tests/bench/scale

# Manual pages: text from man/, tables from the program's own rows.
MAN_PAGES := $(patsubst man/%.in,$(O)/man/%,$(wildcard man/*.in))
.PHONY: man
man: $(MAN_PAGES)
$(O)/man/%: man/%.in $(O)/virtx
	@mkdir -p $(@D)
	$(Q)$(O)/virtx help --man <$< >$@.tmp && mv $@.tmp $@

# One executable and its other names; the configuration of an earlier installation stays.
.PHONY: install uninstall
install: $(O)/virtx $(MAN_PAGES)
	$(Q)install -d $(addprefix $(DESTDIR),$(BINDIR) $(SBINDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8 \
		$(UNITDIR) $(SYSCONFDIR)/virtx $(DOCDIR)/examples $(BASHDIR) $(ZSHDIR) $(FISHDIR))
	$(Q)install -m 755 $(O)/virtx $(DESTDIR)$(BINDIR)/virtx
	$(Q)ln -sfr $(DESTDIR)$(BINDIR)/virtx $(DESTDIR)$(SBINDIR)/virtxd
	$(Q)ln -sfr $(DESTDIR)$(BINDIR)/virtx $(DESTDIR)$(SBINDIR)/virtx-check-lvb
	$(Q)for page in $(MAN_PAGES); do \
		install -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/ || exit 1; done
	$(Q)$(O)/virtx completion bash | install -m 644 /dev/stdin $(DESTDIR)$(BASHDIR)/virtx
	$(Q)$(O)/virtx completion zsh | install -m 644 /dev/stdin $(DESTDIR)$(ZSHDIR)/_virtx
	$(Q)$(O)/virtx completion fish | install -m 644 /dev/stdin $(DESTDIR)$(FISHDIR)/virtx.fish
	$(Q)sed 's|@SBINDIR@|$(SBINDIR)|' examples/virtxd.service | \
		install -m 644 /dev/stdin $(DESTDIR)$(UNITDIR)/virtxd.service
	$(Q)install -m 644 README.md openapi.yaml LICENSE $(DESTDIR)$(DOCDIR)/
	$(Q)install -m 644 examples/*.json examples/*.yaml examples/virtxd.conf $(DESTDIR)$(DOCDIR)/examples/
	$(Q)[ -e $(DESTDIR)$(SYSCONFDIR)/virtx/virtxd.conf ] || \
		install -m 640 examples/virtxd.conf $(DESTDIR)$(SYSCONFDIR)/virtx/virtxd.conf

# Removes what install made; the configuration stays when it was changed.
uninstall:
	$(Q)rm -f $(DESTDIR)$(BINDIR)/virtx $(DESTDIR)$(SBINDIR)/virtxd $(DESTDIR)$(SBINDIR)/virtx-check-lvb \
		$(foreach page,$(notdir $(MAN_PAGES)),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(page)) \
		$(DESTDIR)$(BASHDIR)/virtx $(DESTDIR)$(ZSHDIR)/_virtx $(DESTDIR)$(FISHDIR)/virtx.fish \
		$(DESTDIR)$(UNITDIR)/virtxd.service
	$(Q)rm -rf $(DESTDIR)$(DOCDIR)
	$(Q)! cmp -s examples/virtxd.conf $(DESTDIR)$(SYSCONFDIR)/virtx/virtxd.conf || \
		rm -f $(DESTDIR)$(SYSCONFDIR)/virtx/virtxd.conf
	$(Q)rmdir --ignore-fail-on-non-empty $(DESTDIR)$(SYSCONFDIR)/virtx 2>/dev/null || :

.PHONY: clean help
clean:
	$(Q)rm -rf $(O) $(O)-asan $(O)-tsan $(O)-fuzz $(O)-cov $(O)-lint-gcc $(O)-lint-clang

help:
	@echo 'make              build $(O)/virtx'
	@echo 'make deps         install the packages that building, testing and the demo need'
	@echo 'make demo         a guest from nothing to its console, in two minutes'
	@echo 'make check        the tests that fit in 20 minutes'
	@echo 'make check-long   all of them'
	@echo 'make asan, tsan   the suites under AddressSanitizer and UBSan, under ThreadSanitizer'
	@echo 'make fuzz         every fuzzer for FUZZ_SECONDS=60'
	@echo 'make lint cov     form; line coverage'
	@echo 'make bench        figures beside their baselines'
	@echo 'make bench-scale  a cluster of HOSTS="10 30 100" with VMS=100 each, on this machine'
	@echo 'make install      DESTDIR= PREFIX=$(PREFIX); make uninstall'
	@echo 'make clean'

.SECONDARY:
-include $(LIB_OBJ:.o=.d) $(APPLET_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(UNIT_BIN:%=%.d) \
	$(FUZZ_BIN:%=%.d) $(BENCH_BIN:%=%.d) $(TESTSTORE_OBJ:.o=.d)
