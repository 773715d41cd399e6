/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of lock managers: see lock_manager.h. */
#include "storage/lock_manager.h"

#include "base/str.h"

static const char *const names[] = {
	[LOCK_MANAGER_LOCAL] = "local",
	[LOCK_MANAGER_SANLOCK] = "sanlock",
};

const struct lock_manager_ops *lock_manager_ops(enum lock_manager manager, struct error *err)
{
	if (manager == LOCK_MANAGER_LOCAL)
		return &lock_manager_local;
	error_set(err, ERR_NOT_IMPLEMENTED,
		"the lock manager sanlock is not part of this version of virtx");
	error_hint(err, "a single host can use lock_manager = local");
	return NULL;
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
