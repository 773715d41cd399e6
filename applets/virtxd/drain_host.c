/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mark of this host: see drain_host.h. */
#include "drain_host.h"

#include "base/log.h"
#include "storage/drain_mark.h"

void drain_host_load(struct daemon *daemon)
{
	struct error err = {0};
	enum drain_mark mark;

	if (drain_mark_load(daemon->store, &mark, &err) < 0)
		log_error("whether this host is drained is not known", "reason", err.message);
	else if (mark != DRAIN_MARK_NONE)
		log_info("this host is drained: it takes no VMs");
	atomic_store(&daemon->drained, mark != DRAIN_MARK_NONE);
	inventory_set_drained(daemon->inventory, daemon->host_uuid, mark != DRAIN_MARK_NONE);
}

bool drain_host_is_drained(const struct daemon *daemon)
{
	return atomic_load(&daemon->drained);
}

int drain_host_check(const struct daemon *daemon, struct error *err)
{
	if (!drain_host_is_drained(daemon))
		return 0;
	error_set(err, ERR_DRAINED, "host %s is drained: it takes no VMs", daemon->host_name);
	return error_hint(err, "virtx undrain host %s, or choose another host", daemon->host_name);
}
