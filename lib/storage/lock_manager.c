/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of lock managers: see lock_manager.h. */
#include "storage/lock_manager.h"

#include "base/str.h"

static const char *const names[] = {
	[LOCK_MANAGER_LOCAL] = "local",
	[LOCK_MANAGER_SANLOCK] = "sanlock",
};

const struct lock_manager_ops *lock_manager_ops(enum lock_manager manager)
{
	return manager == LOCK_MANAGER_SANLOCK ? &lock_manager_sanlock : &lock_manager_local;
}

bool lock_manager_parse(const char *name, enum lock_manager *manager)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_equal(name, names[i])) {
			*manager = (enum lock_manager)i;
			return true;
		}
	}
	return false;
}

const char *lock_manager_name(enum lock_manager manager)
{
	return names[manager];
}
