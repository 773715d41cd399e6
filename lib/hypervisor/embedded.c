/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu.conf for libvirt's embedded driver (libvirt: drvqemu, "Embedded driver"). */
#include "hypervisor/embedded.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define MAX_COMMAND_LINE (256 * 1024)
#define END_GUEST_MS     5000

/*
 * The driver shares the machine with nobody: no security labels, no control groups, no private
 * mounts; QEMU's output goes to a file, because there is no virtlogd; files stay whose they are, so
 * there is no owner to remember, for which libvirt would fork at each start.
 */
static const char common_settings[] = "# Written by virtx at every start.\n"
				      "security_driver = \"none\"\n"
				      "cgroup_controllers = []\n"
				      "namespaces = []\n"
				      "stdio_handler = \"file\"\n"
				      "dynamic_ownership = 0\n"
				      "remember_owner = 0\n";
static const char root_settings[] = "user = \"root\"\n"
				    "group = \"root\"\n";

static char *make_uri(const char *root)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~/";
	struct printbuf *buf = buf_new();

	buf_text(buf, "qemu:///embed?root=");
	for (const char *p = root; *p; p++) {
		if (strchr(plain, *p))
			buf_append(buf, p, 1);
		else
			buf_format(buf, "%%%02X", (unsigned char)*p);
	}
	return buf_steal(buf);
}

int hypervisor_embedded_prepare(const char *root, char **uri, struct error *err)
{
	cleanup_free char *folder = NULL;
	cleanup_free char *file = NULL;
	cleanup_free char *text = NULL;

	if (root[0] != '/')
		return error_set(err, ERR_INVALID,
			"the embedded driver needs an absolute path, not \"%s\"", root);
	if (strlen(root) > HYPERVISOR_EMBEDDED_ROOT_MAX) {
		error_set(err, ERR_INVALID,
			"%s is too long for the embedded driver: QEMU's sockets lie below it",
			root);
		return error_hint(err, "choose a state directory whose path has at most %d bytes",
			HYPERVISOR_EMBEDDED_ROOT_MAX);
	}
	folder = xasprintf("%s/etc", root);
	file = xasprintf("%s/qemu.conf", folder);
	text = xasprintf("%s%s", common_settings, geteuid() == 0 ? root_settings : "");
	if (file_make_dirs(folder, 0700, err) ||
		file_write_atomic(file, text, strlen(text), 0600, err))
		return -1;
	*uri = make_uri(root);
	return 0;
}

/* Whether a process is the QEMU of that guest: ids are used again. */
static bool is_guest(pid_t pid, const char *uuid)
{
	cleanup_free char *path = xasprintf("/proc/%d/cmdline", (int)pid);
	struct error ignored = {0};
	size_t len = 0;
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *line =
		fd < 0 ? NULL : file_read_fd(fd, path, MAX_COMMAND_LINE, &len, &ignored);

	for (const char *word = line; word && word < line + len; word += strlen(word) + 1)
		if (str_equal(word, "-uuid") && word + sizeof("-uuid") < line + len)
			return str_equal(word + sizeof("-uuid"), uuid);
	return false;
}

/* 1 when there was a QEMU to end. */
static int end_process(const char *root, const char *uuid, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/run/qemu/%s.pid", root, uuid);
	struct error ignored = {0};
	cleanup_free char *text = file_read(path, 32, NULL, &ignored);
	int64_t pid = 0;

	if (text)
		text[strcspn(text, "\n")] = '\0';
	if (!text || !str_parse_int(text, 2, INT32_MAX, &pid))
		return 0;
	cleanup_close int process = pidfd_open((pid_t)pid, 0);
	if (process < 0 || !is_guest((pid_t)pid, uuid))
		return 0;
	struct pollfd gone = {.fd = process, .events = POLLIN};
	if (pidfd_send_signal(process, SIGKILL, NULL, 0) || poll(&gone, 1, END_GUEST_MS) != 1)
		return error_set(err, ERR_TIMEOUT,
			"QEMU (pid %d) of VM %s, which was cut in its start, does not end",
			(int)pid, uuid);
	return 1;
}

int hypervisor_embedded_end_guest(const char *root, const char *uuid, struct error *err)
{
	cleanup_free char *status = xasprintf("%s/run/qemu/%s.xml", root, uuid);
	int ended = end_process(root, uuid, err);

	if (ended < 0)
		return -1;
	/* The driver's note that it runs, or was to: cut between that note and QEMU, the driver
	 * would try for 30 s to reach a monitor that nobody opened. */
	if (unlink(status) < 0 && errno != ENOENT)
		return error_set_errno(err, ERR_STORAGE, errno, "cannot remove %s", status);
	return ended;
}
