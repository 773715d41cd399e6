# SPDX-License-Identifier: GPL-2.0-or-later
# One static core (lib/), one executable (virtx), no generated build system.
# `make help` lists the targets. Variables: CC, CFLAGS, O (output folder), V=1, DESTDIR, PREFIX.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
SYSCONFDIR ?= /etc
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
O ?= build
CFLAGS ?= -O2 -g
VERSION := 0.1.0

ifeq ($(V),1)
Q :=
else
Q := @
endif
# A build uses all processors unless it was told otherwise.
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

# libvirt and its 50 libraries are loaded only by the roles that talk to it
# (lib/hypervisor/libvirt_load.c), so only its headers are needed here.
PKGS := json-c libxml-2.0 libcrypto uuid libsystemd
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wformat=2 -Wundef -Wpointer-arith -Wwrite-strings
HARDENING := -fstack-protector-strong -fstack-clash-protection -fPIE -D_FORTIFY_SOURCE=2
ALL_CPPFLAGS := -D_GNU_SOURCE -DVIRTX_VERSION='"$(VERSION)"' -Ilib -I. -include base/banned.h \
	$(shell pkg-config --cflags libvirt $(PKGS) 2>/dev/null) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu17 -pthread $(WARNINGS) $(HARDENING) $(CFLAGS)
ALL_LDFLAGS = -pthread -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS)
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
all: $(O)/virtx

# Recompiled when the compiler or its flags change, not only the sources.
FLAGS_NOW := $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' > $@
.PHONY: FORCE
FORCE:

$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	@[ -n "$(Q)" ] && echo "  CC      $<" || :
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Made anew each time, so that no object of a removed source stays in it.
$(O)/libvirtx.a: $(LIB_OBJ)
	@[ -n "$(Q)" ] && echo "  AR      $@" || :
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/virtx: $(MAIN_OBJ) $(APPLET_OBJ) $(O)/libvirtx.a
	@[ -n "$(Q)" ] && echo "  LD      $@" || :
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

# Unit tests see every symbol of the core and of the applets.
$(O)/tests/unit/test_%: $(O)/tests/unit/test_%.o $(APPLET_OBJ) $(O)/libvirtx.a
	@[ -n "$(Q)" ] && echo "  LD      $@" || :
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

.SECONDARY:
-include $(LIB_OBJ:.o=.d) $(APPLET_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(UNIT_BIN:%=%.d)
