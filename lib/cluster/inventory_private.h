/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two files of the inventory share. */
#ifndef CLUSTER_INVENTORY_PRIVATE_H
#define CLUSTER_INVENTORY_PRIVATE_H

#include "cluster/inventory.h"
#include "cluster/table.h"

#include <pthread.h>

struct inventory {
	pthread_rwlock_t lock; /* of everything below */
	struct table vms;      /* of struct vm_row */
	struct table hosts;    /* of struct host */
	struct inventory_version vms_version, hosts_version;
};

#endif
