/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtxd --check: sanlock's daemon, and how it was started. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "storage/lockspace.h"
#include "storage/store.h"

#include <fcntl.h>

#define SANLOCK_CONF "/etc/sanlock/sanlock.conf"
#define SANLOCK_PID  "/run/sanlock/sanlock.pid"
#define COMMAND_MAX  4096

void host_check_sanlock(struct check *check)
{
	struct error err = {0};

	if (check_skips_sanlock(check))
		return;
	if (lockspace_check_daemon(&err) < 0)
		check_set_error(check, CHECK_FAIL, &err, "start sanlock before virtxd");
	else
		check_set(check, CHECK_OK, NULL, "it runs and answers");
}

void host_check_lockspace(struct check *check)
{
	struct error marker = {0}, err = {0};
	char host[UUID_TEXT_SIZE];
	unsigned id;
	bool found;

	if (check_skips_sanlock(check))
		return;
	uuid_make(host); /* nothing depends on which host looks */
	struct store *store = store_look(&(struct store_config){.vms_dir = check->settings->vms_dir,
						 .host_uuid = host,
						 .lock_manager = LOCK_MANAGER_SANLOCK},
		&marker, &err);
	if (!store)
		check_set(check, CHECK_SKIP, NULL, "%s cannot be opened", check->settings->vms_dir);
	else if (lockspace_find(store, &found, &id, &err) < 0)
		check_set_error(check, CHECK_FAIL, &err,
			"sanlock client status tells what it is in; start it anew");
	else if (!found)
		check_set(check, CHECK_WARN, "nothing: virtxd joins it when it starts",
			"this host is not in the lockspace yet");
	else
		check_set(check, CHECK_OK, NULL, "this host is in it, with host id %u", id);
	store_close(store);
}

/*
 * The argument behind an option of sanlock's daemon, when it runs; NULL without. The caller frees
 * it.
 */
static char *read_option(const char *option)
{
	struct error ignored = {0};
	int64_t pid;
	cleanup_free char *text = file_read(SANLOCK_PID, 32, NULL, &ignored);

	if (!text)
		return NULL;
	text[strcspn(text, "\n ")] = '\0';
	if (!str_parse_int(text, 1, INT32_MAX, &pid))
		return NULL;
	char path[40], command[COMMAND_MAX + 1];
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, command, COMMAND_MAX);
	if (len <= 0)
		return NULL;
	command[len] = '\0';
	for (const char *at = command; at < command + len; at += strlen(at) + 1) {
		const char *next = at + strlen(at) + 1;

		if (str_equal(at, option) && next < command + len)
			return xstrdup(next);
	}
	return NULL;
}

/* What the daemon was told on its command line, or else in its file. */
static char *read_setting(const char *option, const char *key)
{
	char *value = read_option(option);

	return value ? value : check_read_key(SANLOCK_CONF, key);
}

void host_check_sanlock_name(struct check *check)
{
	cleanup_free char *name = read_setting("-e", "our_host_name");

	if (check_skips_sanlock(check))
		return;
	if (str_is_empty(name))
		check_set(check, CHECK_WARN,
			"write our_host_name = NAME, another one on each host, into " SANLOCK_CONF
			", and restart sanlock while no VM runs",
			"sanlock has no fixed host name: after a restart it takes minutes to come "
			"back");
	else
		check_set(check, CHECK_OK, NULL, "%s", name);
}

void host_check_watchdog(struct check *check)
{
	cleanup_free char *used = read_setting("-w", "use_watchdog");

	if (check_skips_sanlock(check))
		return;
	if (used && str_equal(used, "0"))
		check_set(check, CHECK_FAIL,
			"write use_watchdog = 1 into " SANLOCK_CONF
			", start wdmd, and restart sanlock while no VM runs",
			"sanlock runs without its watchdog: a VM that hangs on lost storage could "
			"run here and elsewhere");
	else
		check_set(check, CHECK_OK, NULL, "sanlock's is not turned off");
}
