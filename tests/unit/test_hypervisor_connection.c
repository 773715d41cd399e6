/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection's life: libvirt's test driver in this process, and the same driver behind
 * a libvirtd of our own, which is frozen, killed and started again.
 */
#include "base/clock.h"
#include "hypervisor_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <cmocka.h>

static const char domain_xml[] = "<domain type='test'>"
				 "<name>11111111-2222-4333-8444-5555555555aa</name>"
				 "<uuid>11111111-2222-4333-8444-5555555555aa</uuid>"
				 "<memory unit='MiB'>8</memory><os><type>hvm</type></os></domain>";
static const char domain_uuid[] = "11111111-2222-4333-8444-5555555555aa";
static const char unknown_uuid[] = "99999999-2222-4333-8444-555555555555";

static struct hypervisor *start_connected(const char *uri, struct recorder *recorder)
{
	struct error err = {0};
	struct hypervisor *hypervisor = start(uri, recorder, &err);

	if (!hypervisor || hypervisor_wait(hypervisor, 20000, &err))
		fail_msg("%s: %s", uri, err.message);
	return hypervisor;
}

static void test_domain_life(void **unused)
{
	struct recorder recorder = {0};
	struct hypervisor *hypervisor = start_connected("test:///default", &recorder);
	struct domain_stats stats, *list = NULL;
	struct error err = {0};
	char *stored = NULL, *xml;
	size_t count;

	(void)unused;
	str_copy(recorder.uuid, sizeof(recorder.uuid), domain_uuid);
	assert_int_equal(hypervisor_define(hypervisor, domain_xml, &stored, &err), 0);
	assert_non_null(strstr(stored, domain_uuid));
	free(stored);
	assert_true(wait_for(10, atomic_load(&recorder.events[HYPERVISOR_DEFINED]) == 1));

	assert_int_equal(hypervisor_collect(hypervisor, 5000, &list, &count, &err), 0);
	assert_int_equal(count, 2); /* the driver's own and ours */
	free(list);
	assert_int_equal(hypervisor_collect_one(hypervisor, domain_uuid, &stats, &err), 0);
	assert_int_equal(stats.runstate, RUNSTATE_POWEROFF);
	assert_true(stats.persistent);
	assert_false(stats.autostart);
	assert_false(stats.complete); /* this driver gives states only */

	assert_int_equal(hypervisor_set_autostart(hypervisor, domain_uuid, true, &err), 0);
	assert_int_equal(hypervisor_collect(hypervisor, 5000, &list, &count, &err), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(list[i].autostart, str_equal(list[i].uuid, domain_uuid));
	free(list);

	assert_int_equal(hypervisor_boot(hypervisor, domain_uuid, false, &err), 0);
	assert_true(wait_for(10, atomic_load(&recorder.events[HYPERVISOR_CHANGED]) > 0));
	assert_int_equal(hypervisor_suspend(hypervisor, domain_uuid, &err), 0);
	assert_int_equal(hypervisor_collect_one(hypervisor, domain_uuid, &stats, &err), 0);
	assert_int_equal(stats.runstate, RUNSTATE_PAUSED);
	assert_int_equal(hypervisor_resume(hypervisor, domain_uuid, &err), 0);
	assert_int_equal(hypervisor_undefine(hypervisor, domain_uuid, &err), -1);
	assert_int_equal(err.code, ERR_STATE);
	error_clear(&err);
	xml = hypervisor_get_xml(hypervisor, domain_uuid, true, &err);
	assert_non_null(strstr(xml, "<domain"));
	free(xml);
	assert_int_equal(hypervisor_shutdown(hypervisor, domain_uuid, &err), 0);
	assert_int_equal(hypervisor_undefine(hypervisor, domain_uuid, &err), 0);
	assert_true(wait_for(10, atomic_load(&recorder.events[HYPERVISOR_UNDEFINED]) == 1));
	hypervisor_stop(hypervisor);
	assert_int_equal(recorder.connected, 1);
}

static void expect(int status, struct error *err, enum error_code code, const char *words)
{
	assert_int_equal(status, -1);
	assert_int_equal(err->code, code);
	if (!strstr(err->message, words))
		fail_msg("\"%s\" does not say \"%s\"", err->message, words);
	error_clear(err);
}

static void test_refusals(void **unused)
{
	struct recorder recorder = {0};
	struct hypervisor *hypervisor = start_connected("test:///default", &recorder);
	struct domain_stats stats;
	struct error err = {0};
	char **addresses;
	size_t count;

	(void)unused;
	expect(hypervisor_boot(hypervisor, unknown_uuid, false, &err), &err, ERR_NOT_FOUND,
		unknown_uuid);
	expect(hypervisor_boot(hypervisor, "../etc", false, &err), &err, ERR_NOT_FOUND, "../etc");
	expect(hypervisor_collect_one(hypervisor, unknown_uuid, &stats, &err), &err, ERR_NOT_FOUND,
		unknown_uuid);
	expect(hypervisor_get_addresses(hypervisor, unknown_uuid, &addresses, &count, &err), &err,
		ERR_NOT_FOUND, unknown_uuid);
	expect(hypervisor_define(hypervisor, "<domain", NULL, &err), &err, ERR_HYPERVISOR,
		"defining the VM: ");
	expect(hypervisor_attach(hypervisor, unknown_uuid, "<disk/>", false, false, &err), &err,
		ERR_INTERNAL, "nowhere");
	expect(hypervisor_check_network(hypervisor, "nonesuch", &err), &err, ERR_UNSUPPORTED,
		"nonesuch");
	assert_int_equal(hypervisor_check_network(hypervisor, "default", &err), 0);
	hypervisor_stop(hypervisor);
}

static void test_host_of_a_driver_that_knows_little(void **unused)
{
	struct recorder recorder = {0};
	struct hypervisor *hypervisor = start_connected("test:///default", &recorder);
	struct hypervisor_host host;
	struct hypervisor_load load;
	struct hypervisor_caps caps;
	struct error err = {0};
	char why[200];

	(void)unused;
	assert_int_equal(hypervisor_get_host(hypervisor, &host, &err), 0);
	assert_true(host.memory_kib > 0 && host.cores > 0 && host.mhz > 0);
	assert_string_equal(host.uuid, "");
	assert_int_equal(host.tsc_hz, 0);
	assert_true(*host.firmware_version);
	hypervisor_host_clear(&host);
	assert_int_equal(hypervisor_get_load(hypervisor, &load, &err), 0);
	assert_true(load.idle_ns > 0 && load.free_kib > 0);
	assert_int_equal(hypervisor_get_caps(hypervisor, &caps, &err), 0);
	assert_false(caps.kvm || caps.uefi);
	assert_true(caps.networks);
	assert_false(hypervisor_probe_kvm(hypervisor, why, sizeof(why)));
	assert_non_null(strstr(why, "KVM"));
	assert_int_equal(hypervisor_check_xml(hypervisor, domain_xml, &err), 0);
	assert_true(wait_for(5, clock_ms() - hypervisor_heartbeat(hypervisor) < 1500));
	hypervisor_stop(hypervisor);
}

static void test_unreachable(void **unused)
{
	struct recorder recorder = {0};
	struct error err = {0};
	struct hypervisor *hypervisor =
		start("test+unix:///default?socket=/nonexistent/socket", &recorder, &err);
	struct domain_stats *list;
	size_t count;
	char why[300];

	(void)unused;
	assert_non_null(hypervisor);
	expect(hypervisor_wait(hypervisor, 700, &err), &err, ERR_UNAVAILABLE, "/nonexistent");
	assert_false(hypervisor_is_connected(hypervisor, why, sizeof(why)));
	assert_non_null(strstr(why, "/nonexistent"));
	expect(hypervisor_collect(hypervisor, 1000, &list, &count, &err), &err, ERR_UNAVAILABLE,
		"/nonexistent");
	expect(hypervisor_boot(hypervisor, unknown_uuid, false, &err), &err, ERR_UNAVAILABLE,
		"/nonexistent");
	hypervisor_stop(hypervisor);
	assert_int_equal(recorder.connected + recorder.lost, 0);
}

/* ---- a libvirtd of our own, an ordinary user's ---- */

struct libvirtd {
	char *folder, *config, *uri;
	pid_t pid;
};

static void libvirtd_exec(const struct libvirtd *libvirtd)
{
	static const char *const names[] = {
		"HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		setenv(names[i], libvirtd->folder, 1);
	if (geteuid() == 0 &&
		(setregid(ORDINARY_UID, ORDINARY_UID) || setreuid(ORDINARY_UID, ORDINARY_UID)))
		_exit(126);
	/* It ends with the test, and does not hold the pipe that the test's output goes to. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
		_exit(126);
	execlp("libvirtd", "libvirtd", "-f", libvirtd->config, (char *)NULL);
	_exit(127);
}

static void libvirtd_start(struct libvirtd *libvirtd)
{
	cleanup_free char *socket = xasprintf("%s/libvirt/libvirt-sock", libvirtd->folder);

	unlink(socket);
	libvirtd->pid = fork();
	assert_true(libvirtd->pid >= 0);
	if (libvirtd->pid == 0)
		libvirtd_exec(libvirtd);
	assert_true(wait_for(20, access(socket, F_OK) == 0));
}

static void libvirtd_end(struct libvirtd *libvirtd)
{
	kill(libvirtd->pid, SIGKILL);
	assert_int_equal(waitpid(libvirtd->pid, NULL, 0), libvirtd->pid);
}

static void libvirtd_prepare(struct libvirtd *libvirtd)
{
	FILE *file;

	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LIBVIRT_AUTOSTART", "0", 1); /* never one that we did not start */
	libvirtd->folder = folder_make();
	libvirtd->config = xasprintf("%s/libvirtd.conf", libvirtd->folder);
	libvirtd->uri =
		xasprintf("test+unix:///default?socket=%s/libvirt/libvirt-sock", libvirtd->folder);
	file = fopen(libvirtd->config, "w");
	assert_non_null(file);
	fputs("log_outputs = \"4:stderr\"\n", file);
	fclose(file);
	if (geteuid() == 0)
		assert_int_equal(chown(libvirtd->folder, ORDINARY_UID, ORDINARY_UID), 0);
}

static void libvirtd_clear(struct libvirtd *libvirtd)
{
	folder_remove(libvirtd->folder);
	free(libvirtd->folder);
	free(libvirtd->config);
	free(libvirtd->uri);
}

static void test_reconnects(void **unused)
{
	struct libvirtd libvirtd = {0};
	struct recorder recorder = {0};
	struct hypervisor *hypervisor;
	struct domain_stats *list = NULL;
	struct error err = {0};
	size_t count;
	char why[300];

	(void)unused;
	libvirtd_prepare(&libvirtd);
	libvirtd_start(&libvirtd);
	hypervisor = start_connected(libvirtd.uri, &recorder);
	for (int round = 1; round <= 2; round++) {
		assert_int_equal(hypervisor_collect(hypervisor, 5000, &list, &count, &err), 0);
		assert_int_equal(count, 1);
		free(list);
		libvirtd_end(&libvirtd);
		assert_true(wait_for(10, atomic_load(&recorder.lost) == round));
		assert_false(hypervisor_is_connected(hypervisor, why, sizeof(why)));
		assert_true(*why);
		expect(hypervisor_collect(hypervisor, 5000, &list, &count, &err), &err,
			ERR_UNAVAILABLE, "no connection to libvirt");
		libvirtd_start(&libvirtd);
		assert_true(wait_for(20, atomic_load(&recorder.connected) == round + 1));
	}
	hypervisor_stop(hypervisor);
	libvirtd_end(&libvirtd);
	libvirtd_clear(&libvirtd);
}

/* Frozen, it neither answers nor closes: calls end by their deadline, keepalive ends the
 * connection. */
static void test_frozen(void **unused)
{
	struct libvirtd libvirtd = {0};
	struct recorder recorder = {0};
	struct hypervisor *hypervisor;
	struct domain_stats *list = NULL;
	struct error err = {0};
	size_t count;
	int64_t began;

	(void)unused;
	libvirtd_prepare(&libvirtd);
	libvirtd_start(&libvirtd);
	hypervisor = start_connected(libvirtd.uri, &recorder);
	assert_int_equal(kill(libvirtd.pid, SIGSTOP), 0);
	began = clock_ms();
	expect(hypervisor_collect(hypervisor, 300, &list, &count, &err), &err, ERR_UNAVAILABLE,
		"does not answer");
	assert_in_range(clock_ms() - began, 600, 5000);
	assert_true(wait_for(40, atomic_load(&recorder.lost) == 1));
	assert_true(clock_ms() - hypervisor_heartbeat(hypervisor) < 5000);
	assert_int_equal(kill(libvirtd.pid, SIGCONT), 0);
	assert_true(wait_for(20, atomic_load(&recorder.connected) == 2));
	assert_int_equal(hypervisor_collect(hypervisor, 5000, &list, &count, &err), 0);
	free(list);
	/* Stopping does not wait for one that hangs either. */
	assert_int_equal(kill(libvirtd.pid, SIGSTOP), 0);
	began = clock_ms();
	hypervisor_stop(hypervisor);
	assert_in_range(clock_ms() - began, 0, 10000);
	libvirtd_end(&libvirtd);
	libvirtd_clear(&libvirtd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domain_life),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_host_of_a_driver_that_knows_little),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_reconnects),
		cmocka_unit_test(test_frozen),
	};

	signal(SIGPIPE, SIG_IGN); /* as the daemon does; libvirt writes to what may be closed */
	return cmocka_run_group_tests_name("hypervisor_connection", tests, NULL, NULL);
}
