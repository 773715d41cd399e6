/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What virtxd can be told, in its file or on its command line: one row each in settings.c. */
#ifndef VIRTXD_SETTINGS_H
#define VIRTXD_SETTINGS_H

#include "base/config.h"

#define SETTINGS_FILE "/etc/virtx/virtxd.conf"

/* How the libvirts of two hosts talk. */
enum migrate_transport { MIGRATE_TCP, MIGRATE_TLS, MIGRATE_SSH };

struct settings {
	char **listen;
	bool insecure;
	char **allowed_hosts;
	char *libvirt_uri;
	char *serf_rpc;
	char *serf_key;
	bool allow_old_peers;
	char *vms_dir;
	char *state_dir;
	int lock_manager; /* enum lock_manager */
	int64_t sanlock_io_timeout;
	int virt_type; /* enum virt_type */
	bool migrate_unsafe;
	int migrate_transport;     /* enum migrate_transport */
	int64_t migrate_bandwidth; /* MiB/s for one VM; 0: no limit */
	bool overcommit;
	char **lun_allow;
	char *host_uuid;
	char *host_name; /* "": the system's */
	bool standalone;
	int log_level;            /* enum log_level */
	int64_t wait;             /* s to wait for libvirt at the start; -1: for ever */
	int64_t collect_interval; /* s */
	int64_t max_connections;
	int64_t threads;
};

/* Ends with key NULL. */
extern const struct config_row settings_rows[];

/* What the command line asks for besides settings. Strings are borrowed from argv. */
struct settings_command {
	const char *file; /* --config FILE; NULL: the default one, which may be missing */
	bool help, version, init_cluster, check, print_config;
};

/* Reads the command line for its own sake; every option is checked. ERR_USAGE or ERR_INVALID. */
int settings_parse_command(
	int argc, char **argv, struct settings_command *command, struct error *err);

/*
 * Defaults, then the file (NULL: the default one, which may be missing), then the command line;
 * then what standalone implies, and what fits together (an address other than loopback needs
 * insecure, ...). ERR_INVALID or ERR_USAGE; then it is empty.
 */
int settings_load(
	struct settings *settings, const char *file, int argc, char **argv, struct error *err);
void settings_free(struct settings *settings);

#endif
