/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Defining a VM from its register entry. The register lies on shared storage, so what it holds is
 * judged first: nothing but a VM as VirtX makes them, with that UUID and disks that it may have,
 * goes to libvirt.
 */
#ifndef VIRTXD_ENTRY_H
#define VIRTXD_ENTRY_H

#include "daemon.h"
#include "model/domain_xml.h"

/* 0 when an entry is what it should be; then *reading is filled, which the caller frees. */
int entry_check(struct daemon *daemon, const char *vm, const char *xml,
	struct domain_reading *reading, struct error *err);

/* Defines a VM from this host's entry, which becomes what libvirt made of it. On -1 libvirt does
 * not know the VM and the entry is as it was, unless the log says otherwise. */
int entry_define(struct daemon *daemon, const char *vm, struct error *err);

#endif
