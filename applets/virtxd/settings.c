/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of virtxd's configuration, what standalone implies, and what does not fit together. */
#include "settings.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/uuid.h"
#include "model/enums.h"
#include "storage/lease.h"

#include <unistd.h>

static const char *const lock_managers[] = {
	[LOCK_MANAGER_LOCAL] = "local", [LOCK_MANAGER_SANLOCK] = "sanlock", NULL};
static const char *const virt_types[] = {
	[VIRT_TYPE_AUTO] = "auto", [VIRT_TYPE_KVM] = "kvm", [VIRT_TYPE_QEMU] = "qemu", NULL};
static const char *const transports[] = {
	[MIGRATE_TCP] = "tcp", [MIGRATE_TLS] = "tls", [MIGRATE_SSH] = "ssh", NULL};
static const char *const log_levels[] = {[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	NULL};

#define AT(member) offsetof(struct settings, member)

/* clang-format off */
const struct config_row settings_rows[] = {
	{.key = "listen", .kind = CONFIG_LIST, .offset = AT(listen), .fallback = "127.0.0.1:8080",
	 .argument = "ADDRESS:PORT,...",
	 .help = "Addresses to serve the API on; port 0 is any free one"},
	{.key = "insecure", .kind = CONFIG_BOOL, .offset = AT(insecure), .fallback = "no",
	 .help = "Allow addresses that others can reach, although nobody has to log in"},
	{.key = "allowed_hosts", .kind = CONFIG_LIST, .offset = AT(allowed_hosts), .fallback = "",
	 .reloads = true, .argument = "NAME,...",
	 .help = "Further names that requests may give as Host"},
	{.key = "libvirt_uri", .kind = CONFIG_STRING, .offset = AT(libvirt_uri), .fallback = "",
	 .argument = "URI",
	 .help = "The hypervisor: qemu:///system, or with standalone libvirt's embedded driver"},
	{.key = "serf_rpc", .kind = CONFIG_STRING, .offset = AT(serf_rpc),
	 .fallback = "127.0.0.1:7373", .argument = "ADDRESS:PORT",
	 .help = "Where the local serf agent answers; not used with standalone"},
	{.key = "serf_key", .kind = CONFIG_STRING, .offset = AT(serf_key), .fallback = "",
	 .argument = "KEY", .help = "The agent's RPC authentication key"},
	{.key = "allow_old_peers", .kind = CONFIG_BOOL, .offset = AT(allow_old_peers),
	 .fallback = "no",
	 .help = "Trust hosts of the cluster that run an implementation without the cluster's key"},
	{.key = "vms_dir", .kind = CONFIG_STRING, .offset = AT(vms_dir), .fallback = "",
	 .argument = "DIR",
	 .help = "The shared storage: /vms, or with standalone vms in the state directory"},
	{.key = "state_dir", .kind = CONFIG_STRING, .offset = AT(state_dir), .fallback = "",
	 .argument = "DIR",
	 .help = "What this host remembers: /var/lib/virtx, or for an ordinary user "
		 "~/.local/state/virtx"},
	{.key = "lock_manager", .kind = CONFIG_ENUM, .offset = AT(lock_manager),
	 .fallback = "sanlock", .choices = lock_managers, .argument = "NAME",
	 .help = "Who guards disks: sanlock between hosts, local on one host (always with standalone)"},
	{.key = "sanlock_io_timeout", .kind = CONFIG_INT, .offset = AT(sanlock_io_timeout),
	 .fallback = "10", .min = 1, .max = 60, .argument = "SECONDS",
	 .help = "Sanlock's time for one access to the storage, the same on every host"},
	{.key = "virt_type", .kind = CONFIG_ENUM, .offset = AT(virt_type), .fallback = "auto",
	 .choices = virt_types, .argument = "NAME",
	 .help = "How guests run: by kvm, emulated by qemu, or auto, which is kvm where it works"},
	{.key = "migrate_unsafe", .kind = CONFIG_BOOL, .offset = AT(migrate_unsafe),
	 .fallback = "no", .help = "Migrate even where libvirt doubts that the storage is shared"},
	{.key = "migrate_transport", .kind = CONFIG_ENUM, .offset = AT(migrate_transport),
	 .fallback = "tcp", .choices = transports, .argument = "NAME",
	 .help = "How the libvirt of this host reaches that of another: qemu+tcp, qemu+tls, qemu+ssh"},
	{.key = "migrate_bandwidth", .kind = CONFIG_INT, .offset = AT(migrate_bandwidth),
	 .fallback = "0", .min = 0, .max = 1000000, .argument = "MIB",
	 .help = "Most MiB per second that the memory of one migrating VM may take; 0: no limit"},
	{.key = "overcommit", .kind = CONFIG_BOOL, .offset = AT(overcommit), .fallback = "no",
	 .help = "Create and boot VMs beyond the memory that is available"},
	{.key = "lun_allow", .kind = CONFIG_LIST, .offset = AT(lun_allow), .fallback = "",
	 .argument = "PATTERN,...",
	 .help = "Devices outside /dev/disk/by-id that VMs may have as luns"},
	{.key = "host_uuid", .kind = CONFIG_STRING, .offset = AT(host_uuid), .fallback = "",
	 .argument = "UUID", .help = "Identity of this host in place of the one libvirt reports"},
	{.key = "host_name", .kind = CONFIG_STRING, .offset = AT(host_name), .fallback = "",
	 .argument = "NAME", .help = "Name of this host in place of the system's"},
	{.key = "standalone", .kind = CONFIG_BOOL, .offset = AT(standalone), .fallback = "no",
	 .help = "One host on its own: no serf, no sanlock, no libvirtd, storage in the state "
		 "directory"},
	{.key = "log_level", .kind = CONFIG_ENUM, .offset = AT(log_level), .fallback = "info",
	 .choices = log_levels, .reloads = true, .argument = "LEVEL",
	 .help = "Least important events to log"},
	{.key = "wait", .kind = CONFIG_INT, .offset = AT(wait), .fallback = "-1", .min = -1,
	 .max = 86400, .argument = "SECONDS",
	 .help = "How long the start waits for libvirt and the lockspace; -1: for ever"},
	{.key = "collect_interval", .kind = CONFIG_INT, .offset = AT(collect_interval),
	 .fallback = "15", .min = 1, .max = 3600, .argument = "SECONDS",
	 .help = "Time between two readings of the statistics"},
	{.key = "max_connections", .kind = CONFIG_INT, .offset = AT(max_connections),
	 .fallback = "1024", .min = 16, .max = 65536, .argument = "NUMBER",
	 .help = "Connections that the API holds at once"},
	{.key = "threads", .kind = CONFIG_INT, .offset = AT(threads), .fallback = "16", .min = 2,
	 .max = 256, .argument = "NUMBER", .help = "Threads that answer requests"},
	{0},
};
/* clang-format on */

/* Options that are no settings; for config_read_options. */
static int own_option(void *context, int argc, char **argv, struct error *err)
{
	struct settings_command *command = context;

	if (str_equal(argv[0], "--help") || str_equal(argv[0], "-h"))
		command->help = true;
	else if (str_equal(argv[0], "--version"))
		command->version = true;
	else if (str_equal(argv[0], "--init-cluster"))
		command->init_cluster = true;
	else if (str_equal(argv[0], "--check"))
		command->check = true;
	else if (str_equal(argv[0], "--print-config"))
		command->print_config = true;
	else if (str_starts_with(argv[0], "--config="))
		command->file = argv[0] + strlen("--config=");
	else if (!str_equal(argv[0], "--config"))
		return 0;
	else if (argc < 2)
		return error_set(err, ERR_USAGE, "--config needs a file");
	else {
		command->file = argv[1];
		return 2;
	}
	return 1;
}

int settings_parse_command(
	int argc, char **argv, struct settings_command *command, struct error *err)
{
	struct settings scratch;

	*command = (struct settings_command){0};
	config_init(settings_rows, &scratch);
	int status =
		config_read_options(settings_rows, &scratch, argc, argv, own_option, command, err);
	settings_free(&scratch);
	return status;
}

static void set_if_empty(char **value, char *otherwise)
{
	if (!**value) {
		free(*value);
		*value = otherwise;
	} else {
		free(otherwise);
	}
}

/* Where an ordinary user's programs keep their state (XDG base directories). */
static char *user_state_dir(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && *state == '/')
		return xasprintf("%s/virtx", state);
	if (home && *home == '/')
		return xasprintf("%s/.local/state/virtx", home);
	return xstrdup("");
}

/* Fills what depends on who runs us and on standalone. libvirt_uri stays "" for the embedded
 * driver. */
static void apply_mode(struct settings *settings)
{
	set_if_empty(&settings->state_dir,
		geteuid() == 0 ? xstrdup("/var/lib/virtx") : user_state_dir());
	if (settings->standalone) {
		settings->lock_manager = LOCK_MANAGER_LOCAL;
		set_if_empty(&settings->vms_dir, xasprintf("%s/vms", settings->state_dir));
	} else {
		set_if_empty(&settings->vms_dir, xstrdup("/vms"));
		set_if_empty(&settings->libvirt_uri, xstrdup("qemu:///system"));
	}
}

static bool is_loopback(const char *address)
{
	return str_starts_with(address, "127.") || str_starts_with(address, "[::1]:") ||
	       str_starts_with(address, "localhost:");
}

/* An absolute path without an odd end, as everything below is made of it. */
static int check_dir(const char *key, const char *path, struct error *err)
{
	if (!*path)
		return error_set(err, ERR_INVALID,
			"%s: not given, and neither HOME nor XDG_STATE_HOME is set", key);
	if (*path != '/' || str_ends_with(path, "/") || strstr(path, "//") ||
		strstr(path, "/../") || str_ends_with(path, "/.."))
		return error_set(err, ERR_INVALID,
			"%s: \"%s\" is not a clean absolute path (no \"..\", no \"/\" at the end)",
			key, path);
	return 0;
}

static int check_listen(const struct settings *settings, struct error *err)
{
	if (!settings->listen[0])
		return error_set(err, ERR_INVALID, "listen: no address");
	for (char **address = settings->listen; *address; address++) {
		if (settings->insecure || is_loopback(*address))
			continue;
		error_set(err, ERR_INVALID,
			"listen: others can reach %s, and nobody has to log in yet", *address);
		return error_hint(err, "insecure = yes allows it, in a network of your own");
	}
	return 0;
}

static int check(const struct settings *settings, struct error *err)
{
	if (check_listen(settings, err) < 0 ||
		check_dir("state_dir", settings->state_dir, err) < 0 ||
		check_dir("vms_dir", settings->vms_dir, err) < 0)
		return -1;
	if (*settings->host_uuid && !uuid_is_valid(settings->host_uuid))
		return error_set(
			err, ERR_INVALID, "host_uuid: \"%s\" is not a UUID", settings->host_uuid);
	if (strlen(settings->host_name) > 255)
		return error_set(err, ERR_INVALID, "host_name: longer than 255 bytes");
	return 0;
}

static int read_file(struct settings *settings, const char *file, struct error *err)
{
	/* The system's file may hold a key; an ordinary user's daemon goes without it. */
	if (!file && geteuid() != 0 && access(SETTINGS_FILE, R_OK) < 0)
		return 0;
	if (config_read_file(settings_rows, settings, file ? file : SETTINGS_FILE, err) == 0)
		return 0;
	if (file || err->code != ERR_NOT_FOUND)
		return -1;
	error_clear(err); /* the default file may be missing */
	return 0;
}

int settings_load(
	struct settings *settings, const char *file, int argc, char **argv, struct error *err)
{
	struct settings_command ignored = {0};

	config_init(settings_rows, settings);
	if (read_file(settings, file, err) == 0 &&
		config_read_options(
			settings_rows, settings, argc, argv, own_option, &ignored, err) == 0) {
		apply_mode(settings);
		if (check(settings, err) == 0)
			return 0;
	}
	settings_free(settings);
	return -1;
}

void settings_free(struct settings *settings)
{
	config_free(settings_rows, settings);
}
