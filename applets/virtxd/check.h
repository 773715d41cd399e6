/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtxd --check: whether this host is fit for the daemon, before it is started. Each check looks
 * at one thing, changes nothing, and has 5 s; a virtxd may run meanwhile. Checks share nothing.
 */
#ifndef VIRTXD_CHECK_H
#define VIRTXD_CHECK_H

#include "base/error.h"
#include "settings.h"

enum check_level { CHECK_OK, CHECK_WARN, CHECK_FAIL, CHECK_SKIP, CHECK_LEVELS };

/* One check's question and answer; it may outlive the caller that gave it up. */
struct check {
	const struct settings *settings;
	enum check_level level;
	char text[1100]; /* what was found */
	char todo[400];  /* what to do, or "" */
};

/* Looks at everything and prints a line each and a summary. 0 when nothing failed, 1 otherwise. */
int check_host(const struct settings *settings);

/* The answers. todo: what to do; NULL: nothing. */
void check_set(struct check *check, enum check_level level, const char *todo, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/* From an error, with `todo` where it has no hint of its own. */
void check_set_error(
	struct check *check, enum check_level level, const struct error *err, const char *todo);
/* True, and skipped, when sanlock guards no disks here. */
bool check_skips_sanlock(struct check *check);
/* The same where there is one host only. */
bool check_skips_standalone(struct check *check);

/* The value of KEY = VALUE in a configuration file of another program, without quotes: the last one
 * counts. NULL when the file or the key is missing; the caller frees it. */
char *check_read_key(const char *file, const char *key);

/* check_libvirt.c */
void host_check_libvirt(struct check *check);
void host_check_plugin(struct check *check);
void host_check_qemu_conf(struct check *check);
void host_check_plugin_conf(struct check *check);
void host_check_migration(struct check *check);
/* check_ports.c: whether VMs can migrate to these hosts. */
void check_ports(struct check *check, const char *const *names, size_t count);
/* The port of libvirt that the migrations of this host go to. */
const char *check_libvirt_port(const struct settings *settings);
/* check_serf.c */
void host_check_serf(struct check *check);
void host_check_encryption(struct check *check);
void host_check_names(struct check *check);
void host_check_others(struct check *check);
/* check_storage.c */
void host_check_storage(struct check *check);
void host_check_mount(struct check *check);
void host_check_permissions(struct check *check);
void host_check_direct_io(struct check *check);
void host_check_key(struct check *check);
/* check_accounts.c */
void host_check_accounts(struct check *check);
/* check_sanlock.c */
void host_check_sanlock(struct check *check);
void host_check_lockspace(struct check *check);
void host_check_sanlock_name(struct check *check);
void host_check_watchdog(struct check *check);

#endif
