/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtxd --check: whether the accounts that others run as get at the shared storage. sanlock's
 * daemon gives up root and reads and writes below lock; QEMU runs as qemu.conf says and opens
 * images below ds. Only owner, group and mode are judged, as those others are not asked.
 */
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "storage/store.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#define QEMU_CONF  "/etc/libvirt/qemu.conf"
#define MAX_GROUPS 64

struct account {
	uid_t uid;
	gid_t groups[MAX_GROUPS];
	int n_groups;
};

static bool find_account(const char *name, struct account *account)
{
	char buffer[4096];
	struct passwd entry, *found = NULL;

	if (getpwnam_r(name, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return false;
	account->uid = entry.pw_uid;
	account->n_groups = MAX_GROUPS;
	if (getgrouplist(name, entry.pw_gid, account->groups, &account->n_groups) < 0)
		account->n_groups = MAX_GROUPS;
	return true;
}

/* wanted: rwx bits as of others. */
static bool may(const struct account *account, const struct stat *info, mode_t wanted)
{
	mode_t shift = 0;

	if (account->uid == 0)
		return true;
	if (account->uid == info->st_uid)
		shift = 6;
	for (int i = 0; i < account->n_groups && !shift; i++)
		if (account->groups[i] == info->st_gid)
			shift = 3;
	return (info->st_mode >> shift & wanted) == wanted;
}

/* The account under which libvirt starts QEMU: what is configured, or what packagers choose. */
static char *qemu_account(void)
{
	static const char *const usual[] = {"libvirt-qemu", "qemu"};
	char *configured = check_read_key(QEMU_CONF, "user");
	struct account account;

	if (configured && configured[*configured == '+'])
		return configured;
	free(configured);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (find_account(usual[i], &account))
			return xstrdup(usual[i]);
	return xstrdup("root");
}

/* False when it was said what is wrong. A folder that is not there yet is another check's. */
static bool check_one(struct check *check, const char *name, const char *folder, mode_t wanted)
{
	const char *vms = check->settings->vms_dir;
	cleanup_free char *below = xasprintf("%s/%s", vms, folder);
	const char *const paths[] = {vms, below};
	struct account account;
	struct stat info;

	if (!find_account(name, &account))
		return true;
	for (size_t i = 0; i < 2; i++) {
		mode_t bits = i ? wanted : 1;

		if (stat(paths[i], &info) < 0 || may(&account, &info, bits))
			continue;
		check_set(check, CHECK_FAIL,
			"add the account to the group of that folder (usermod -aG GROUP ACCOUNT), "
			"and "
			"restart its service",
			"account %s may not %s %s (owner %u, group %u, mode %o)", name,
			bits & 2 ? "write to" : "enter", paths[i], (unsigned)info.st_uid,
			(unsigned)info.st_gid, (unsigned)info.st_mode & 07777);
		return false;
	}
	return true;
}

void host_check_accounts(struct check *check)
{
	cleanup_free char *qemu = qemu_account();
	bool sanlock = check->settings->lock_manager == LOCK_MANAGER_SANLOCK;

	if (check_skips_standalone(check))
		return;
	if ((sanlock && !check_one(check, "sanlock", STORE_LOCKS, 7)) ||
		!check_one(check, qemu, STORE_DATASTORE, 1))
		return;
	check_set(check, CHECK_OK, NULL, "%s%s can enter %s", sanlock ? "sanlock and " : "", qemu,
		check->settings->vms_dir);
}
