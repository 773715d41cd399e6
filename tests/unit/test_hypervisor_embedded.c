/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The embedded driver with real QEMU guests, which have no disk and need none. The driver starts
 * once per process, so every scenario, and every restart within one, is a child of its own.
 */
#include "base/clock.h"
#include "hypervisor/embedded.h"
#include "hypervisor/migrate.h"
#include "hypervisor_fixture.h"

#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <cmocka.h>

#define VM_A "11111111-2222-4333-8444-5555555555a1"
#define VM_B "11111111-2222-4333-8444-5555555555b2"
#define GUEST(uuid)                                                                           \
	"<domain type='qemu'><name>" uuid "</name><uuid>" uuid "</uuid>"                      \
	"<memory unit='MiB'>16</memory><os><type>hvm</type></os><features><acpi/></features>" \
	"</domain>"

#define CPU(model)                                                                           \
	"<domain type='qemu'><os><type arch='x86_64' machine='pc'>hvm</type></os><cpu mode=" \
	"'custom'><model>" model "</model></cpu></domain>"

/* In a child: what is not so ends it, with the reason. */
#define check(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, \
				#condition, err.message);                               \
			_exit(1);                                                       \
		}                                                                       \
	} while (0)

static struct error err;
static struct recorder recorder;

static struct hypervisor *start_embedded(const char *root)
{
	cleanup_free char *uri = NULL;
	struct hypervisor *hypervisor;

	check(hypervisor_embedded_prepare(root, &uri, &err) == 0);
	hypervisor = start(uri, &recorder, &err);
	check(hypervisor && hypervisor_wait(hypervisor, 60000, &err) == 0);
	check(hypervisor_is_embedded(hypervisor));
	return hypervisor;
}

static enum runstate runstate_of(struct hypervisor *hypervisor, const char *uuid)
{
	struct domain_stats stats;

	check(hypervisor_collect_one(hypervisor, uuid, &stats, &err) == 0);
	return stats.runstate;
}

/* QEMU's process, from the file that libvirt keeps; 0: none. */
static pid_t qemu_pid(const char *root, const char *uuid)
{
	cleanup_free char *path = xasprintf("%s/run/qemu/%s.pid", root, uuid);
	cleanup_fclose FILE *file = fopen(path, "r");
	int pid = 0;

	return file && fscanf(file, "%d", &pid) == 1 ? pid : 0;
}

/* What there is of migration without another host; a CPU that QEMU has, and one that it has not. */
static void no_migration(struct hypervisor *hypervisor)
{
	const struct hypervisor_migration migration = {
		.uuid = VM_A, .target_uri = "qemu+tcp://127.0.0.1/system", .live = true};
	struct hypervisor_job job;
	cleanup_free char *xml = hypervisor_get_migratable_xml(hypervisor, VM_A, &err);

	check(xml && strstr(xml, VM_A));
	check(hypervisor_check_cpu(hypervisor, xml, false, &err) == 0);
	check(hypervisor_get_job(hypervisor, VM_A, &job, &err) == 0);
	check(job.kind == HYPERVISOR_JOB_NONE);
	check(hypervisor_get_ended_job(hypervisor, VM_A, &job, &err) == 0);
	check(job.kind == HYPERVISOR_JOB_NONE && job.total == 0);
	check(hypervisor_abort_job(hypervisor, VM_A, &err) == -1 && err.code == ERR_STATE);
	error_clear(&err);
	check(hypervisor_migrate(hypervisor, &migration, &err) == -1);
	check(err.code == ERR_UNSUPPORTED);
	error_clear(&err);
	check(hypervisor_check_cpu(hypervisor, CPU("qemu64"), false, &err) == 0);
	check(hypervisor_check_cpu(hypervisor, CPU("it's none"), false, &err) == -1);
	check(err.code == ERR_UNSUPPORTED && strstr(err.message, "it's none"));
	error_clear(&err);
	check(hypervisor_check_cpu(hypervisor, "<domain type='kvm'/>", false, &err) == -1);
	check(err.code == ERR_UNSUPPORTED);
	error_clear(&err);
}

static void life(const char *root)
{
	struct hypervisor *hypervisor = start_embedded(root);
	struct hypervisor_caps caps;
	struct hypervisor_load load;
	struct domain_stats stats;
	char why[1024];

	check(hypervisor_get_caps(hypervisor, &caps, &err) == 0);
	check(caps.qemu_version > 5000000 && !caps.networks);
	check(caps.vdagent_migrates == (caps.qemu_version >= 10001000));
	check(hypervisor_get_load(hypervisor, &load, &err) == 0 && load.user_ns > 0);
	check(hypervisor_check_network(hypervisor, "default", &err) == -1);
	check(err.code == ERR_UNSUPPORTED);
	error_clear(&err);
	hypervisor_probe_kvm(hypervisor, why, sizeof(why));

	check(hypervisor_check_xml(hypervisor, GUEST(VM_A), &err) == 0);
	check(hypervisor_collect_one(hypervisor, VM_A, &stats, &err) == -1);
	check(err.code == ERR_NOT_FOUND);
	error_clear(&err);
	check(hypervisor_define(hypervisor, GUEST(VM_A), NULL, &err) == 0);
	check(hypervisor_collect_one(hypervisor, VM_A, &stats, &err) == 0);
	check(stats.cpu_time_ns == 0 && stats.memory_rss_kib == 0);
	check(stats.memory_max_kib == 16 * 1024 && stats.complete);

	check(hypervisor_boot(hypervisor, VM_A, true, &err) == 0);
	check(runstate_of(hypervisor, VM_A) == RUNSTATE_PAUSED ||
		runstate_of(hypervisor, VM_A) == RUNSTATE_STARTUP);
	check(hypervisor_resume(hypervisor, VM_A, &err) == 0);
	check(hypervisor_collect_one(hypervisor, VM_A, &stats, &err) == 0);
	check(stats.runstate == RUNSTATE_RUNNING && stats.complete);
	check(stats.cpu_time_ns > 0 && stats.memory_rss_kib > 1024);
	no_migration(hypervisor);
	check(hypervisor_shutdown(hypervisor, VM_A, &err) == 0); /* nobody in there answers it */
	check(hypervisor_reboot(hypervisor, VM_A, true, &err) == 0);
	check(hypervisor_set_metadata(hypervisor, VM_A, "data-op", "virtx-op-VmBoot",
		      "<data-op><op>VmBoot</op></data-op>", &err) == 0);
	check(hypervisor_destroy(hypervisor, VM_A, false, &err) == 0);
	check(runstate_of(hypervisor, VM_A) == RUNSTATE_POWEROFF);
	check(hypervisor_undefine(hypervisor, VM_A, &err) == 0);
	hypervisor_stop(hypervisor);
}

/* One hung QEMU: nobody waits for it for long, only its figures are missing, and the next round
 * has all others. */
static void hung(const char *root)
{
	struct hypervisor *hypervisor = start_embedded(root);
	struct domain_stats *list = NULL;
	size_t count;
	int64_t began;
	pid_t pid;

	check(hypervisor_define(hypervisor, GUEST(VM_A), NULL, &err) == 0);
	check(hypervisor_define(hypervisor, GUEST(VM_B), NULL, &err) == 0);
	check(hypervisor_boot(hypervisor, VM_A, false, &err) == 0);
	check(hypervisor_boot(hypervisor, VM_B, false, &err) == 0);
	pid = qemu_pid(root, VM_A);
	check(pid > 1 && kill(pid, SIGSTOP) == 0);
	for (int round = 0; round < 2; round++) {
		began = clock_ms();
		check(hypervisor_collect(hypervisor, 1500, &list, &count, &err) == 0);
		check(clock_ms() - began < 4000 && count == 2);
		for (size_t i = 0; i < count; i++) {
			bool stopped = str_equal(list[i].uuid, VM_A);

			check(list[i].runstate == RUNSTATE_RUNNING);
			check(list[i].complete == (round == 1 && !stopped));
		}
		free(list);
	}
	/* What is asked of it fails in time, its log too; the other one obeys at once. */
	began = clock_ms();
	check(hypervisor_shutdown(hypervisor, VM_A, &err) == -1 && err.code == ERR_HYPERVISOR);
	error_clear(&err);
	check(hypervisor_set_metadata(
		      hypervisor, VM_A, "data-op", "virtx-op-VmBoot", "<data-op/>", &err) == -1);
	error_clear(&err);
	check(clock_ms() - began < 10000);
	began = clock_ms();
	check(hypervisor_suspend(hypervisor, VM_B, &err) == 0);
	check(hypervisor_resume(hypervisor, VM_B, &err) == 0);
	check(clock_ms() - began < 4000);
	check(kill(pid, SIGCONT) == 0);
	check(wait_for(20, ({
		bool all = hypervisor_collect(hypervisor, 1500, &list, &count, &err) == 0 &&
			   list[0].complete && list[1].complete;
		free(list);
		all;
	})));
	check(hypervisor_destroy(hypervisor, VM_A, false, &err) == 0);
	check(hypervisor_destroy(hypervisor, VM_B, false, &err) == 0);
	hypervisor_stop(hypervisor);
}

static void leave_running(const char *root)
{
	struct hypervisor *hypervisor = start_embedded(root);

	check(hypervisor_define(hypervisor, GUEST(VM_A), NULL, &err) == 0);
	check(hypervisor_boot(hypervisor, VM_A, false, &err) == 0);
	hypervisor_stop(hypervisor);
}

static void find_and_be_killed(const char *root)
{
	struct hypervisor *hypervisor = start_embedded(root);

	check(runstate_of(hypervisor, VM_A) == RUNSTATE_RUNNING);
	(void)hypervisor;
	kill(getpid(), SIGKILL);
}

static void find_and_end(const char *root)
{
	struct hypervisor *hypervisor = start_embedded(root);

	check(runstate_of(hypervisor, VM_A) == RUNSTATE_RUNNING);
	check(hypervisor_suspend(hypervisor, VM_A, &err) == 0);
	check(runstate_of(hypervisor, VM_A) == RUNSTATE_PAUSED);
	check(hypervisor_destroy(hypervisor, VM_A, false, &err) == 0);
	check(hypervisor_undefine(hypervisor, VM_A, &err) == 0);
	hypervisor_stop(hypervisor);
}

static void find_stopped(const char *root)
{
	struct hypervisor *hypervisor = start_embedded(root);
	enum runstate runstate = runstate_of(hypervisor, VM_A);

	check(runstate == RUNSTATE_POWEROFF || runstate == RUNSTATE_CRASHED);
	check(hypervisor_boot(hypervisor, VM_A, false, &err) == 0);
	check(hypervisor_destroy(hypervisor, VM_A, false, &err) == 0);
	hypervisor_stop(hypervisor);
}

/* ---- running the scenarios ---- */

struct place {
	char *root;
	bool ordinary; /* as nobody, though we are root */
};

/* A child's wait status. */
static int run(const struct place *place, void (*scenario)(const char *))
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (place->ordinary && (setregid(ORDINARY_UID, ORDINARY_UID) ||
					       setreuid(ORDINARY_UID, ORDINARY_UID)))
			_exit(126);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The driver also keeps state at home, whatever its root. */
		setenv("HOME", place->root, 1);
		unsetenv("XDG_CACHE_HOME");
		unsetenv("XDG_RUNTIME_DIR");
		scenario(place->root);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int place_setup(void **state, bool ordinary)
{
	struct place *place = xcalloc(1, sizeof(*place));

	place->root = folder_make();
	place->ordinary = ordinary && geteuid() == 0;
	if (place->ordinary && chown(place->root, ORDINARY_UID, ORDINARY_UID))
		return -1;
	*state = place;
	return 0;
}

static int setup(void **state)
{
	return place_setup(state, false);
}

static int setup_ordinary(void **state)
{
	return place_setup(state, true);
}

/* Guests outlive their process, so a test that failed ends them here, by their ids. */
static int teardown(void **state)
{
	static const char *const uuids[] = {VM_A, VM_B};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(uuids) / sizeof(uuids[0]); i++) {
		pid_t pid = qemu_pid(place->root, uuids[i]);

		if (pid > 1)
			kill(pid, SIGKILL);
	}
	folder_remove(place->root);
	free(place->root);
	free(place);
	return 0;
}

/* As root libvirt wants the account its package makes, whatever qemu.conf says. */
static void need_account(const struct place *place)
{
	if (geteuid() == 0 && !place->ordinary && !getpwnam("libvirt-qemu") && !getpwnam("qemu")) {
		print_message("# skipped as root: no account libvirt-qemu or qemu\n");
		skip();
	}
}

static void test_life(void **state)
{
	need_account(*state);
	assert_int_equal(run(*state, life), 0);
}

static void test_hung_guest(void **state)
{
	need_account(*state);
	assert_int_equal(run(*state, hung), 0);
}

static void test_guests_outlive_us(void **state)
{
	struct place *place = *state;
	int status;
	pid_t pid;

	need_account(place);
	assert_int_equal(run(place, leave_running), 0);
	pid = qemu_pid(place->root, VM_A);
	assert_true(pid > 1);
	assert_int_equal(kill(pid, 0), 0);
	status = run(place, find_and_be_killed);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(run(place, find_and_end), 0);
	assert_true(wait_for(10, kill(pid, 0) == -1));
}

/* As when a start was cut: QEMU is there, and no driver yet. */
static void test_end_guest(void **state)
{
	struct place *place = *state;
	cleanup_free char *status = xasprintf("%s/run/qemu/" VM_A ".xml", place->root);
	struct error bad = {0};
	pid_t pid;

	need_account(place);
	assert_int_equal(hypervisor_embedded_end_guest(place->root, VM_A, &bad), 0);
	assert_int_equal(run(place, leave_running), 0);
	pid = qemu_pid(place->root, VM_A);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(access(status, F_OK), 0);
	assert_int_equal(hypervisor_embedded_end_guest(place->root, VM_B, &bad), 0);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(hypervisor_embedded_end_guest(place->root, VM_A, &bad), 1);
	assert_int_equal(access(status, F_OK), -1);
	assert_int_equal(hypervisor_embedded_end_guest(place->root, VM_A, &bad), 0);
	assert_int_equal(run(place, find_stopped), 0);
}

static void test_prepare(void **state)
{
	const struct place *place = *state;
	cleanup_free char *odd = xasprintf("%s/a b%%&?#", place->root);
	cleanup_free char *file = xasprintf("%s/etc/qemu.conf", odd);
	cleanup_free char *uri = NULL;
	char longest[200];
	struct error bad = {0};

	assert_int_equal(hypervisor_embedded_prepare(odd, &uri, &bad), 0);
	assert_true(str_ends_with(uri, "/a%20b%25%26%3F%23"));
	assert_int_equal(access(file, R_OK), 0);
	assert_int_equal(hypervisor_embedded_prepare("relative", &uri, &bad), -1);
	assert_int_equal(bad.code, ERR_INVALID);
	error_clear(&bad);
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(hypervisor_embedded_prepare(longest, &uri, &bad), -1);
	assert_int_equal(bad.code, ERR_INVALID);
	error_clear(&bad);
	assert_int_equal(hypervisor_embedded_prepare("/proc/none", &uri, &bad), -1);
	assert_non_null(strstr(bad.message, "/proc/none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_prepare, setup, teardown),
		{"life as ourselves", test_life, setup, teardown, NULL},
		{"hung guest as ourselves", test_hung_guest, setup, teardown, NULL},
		{"guests outlive us as ourselves", test_guests_outlive_us, setup, teardown, NULL},
		{"a guest is ended without a driver", test_end_guest, setup, teardown, NULL},
		{"life as an ordinary user", test_life, setup_ordinary, teardown, NULL},
		{"hung guest as an ordinary user", test_hung_guest, setup_ordinary, teardown, NULL},
		{"guests outlive us as an ordinary user", test_guests_outlive_us, setup_ordinary,
			teardown, NULL},
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("hypervisor_embedded", tests, NULL, NULL);
}
