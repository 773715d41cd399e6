/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM's statistics from libvirt's counters (spec: statistics.md). Knows no locks and asks nobody.
 */
#ifndef VIRTXD_VM_FIGURES_H
#define VIRTXD_VM_FIGURES_H

#include "hypervisor/hypervisor.h"
#include "model/domain_xml_cdroms.h"
#include "model/vm.h"

/* What rates are reckoned from; zeroed at first and while the VM is off. */
struct vm_counters {
	uint64_t cpu_ns, rx_bytes, tx_bytes;
	int64_t at_ns; /* monotonic; 0: none yet */
};

struct vm_figures_context {
	int64_t now_ns;                           /* monotonic */
	int32_t mhz;                              /* of one CPU */
	const char (*cdroms)[DOMAIN_TARGET_SIZE]; /* disks that do not count */
	size_t n_cdroms;
};

/* False when nothing runs: poweroff and what is as good. */
bool vm_figures_is_active(enum runstate runstate);

/*
 * Brings vm->stats up to date. Incomplete statistics leave the figures as they were; a counter that
 * went backwards gives 0 for its interval; intervals under a second are left to the next call.
 */
void vm_figures_update(struct vm *vm, struct vm_counters *last, const struct domain_stats *stats,
	const struct vm_figures_context *context);

#endif
