/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The figures of a host, from files made here: the table of statistics.md by hand. */
#include "applets/virtxd/host_stats.h"
#include "base/file.h"
#include "base/mem.h"
#include "folder_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
	char *dir;
	char *meminfo, *os_release, *max_freq, *preplace, *missing;
	struct host_files files;
};

static char *write_file(struct fixture *fixture, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", fixture->dir, name);
	struct error err = {0};

	if (text)
		assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
	return path;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->dir = folder_make();
	f->meminfo = write_file(f, "meminfo",
		"MemTotal:       32768000 kB\nHugePages_Total:     512\nHugePages_Free:      128\n"
		"HugePages_Rsvd:        0\nHugepagesize:       2048 kB\n");
	f->os_release = write_file(f, "os-release",
		"NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nBUILD_ID=x\nID=debian\n");
	f->max_freq = write_file(f, "max_freq", "3600000\n");
	f->preplace = write_file(f, "preplace", "# -o 1\n-x 3\n -o 50.0 # half\n");
	f->missing = write_file(f, "missing", NULL);
	f->files = (struct host_files){
		.meminfo = f->meminfo,
		.os_release = {f->missing, f->os_release},
		.max_freq = f->max_freq,
		.preplace = f->preplace,
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char *const paths[] = {f->meminfo, f->os_release, f->max_freq, f->preplace, f->missing};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		unlink(paths[i]);
		free(paths[i]);
	}
	rmdir(f->dir);
	free(f->dir);
	free(f);
	return 0;
}

static const struct hypervisor_host from_libvirt = {
	.arch = (char *)"x86_64",
	.vendor = (char *)"AMD",
	.model = (char *)"EPYC",
	.firmware_version = (char *)"",
	.firmware_date = (char *)"",
	.nodes = 1,
	.sockets = 1,
	.cores = 4,
	.threads = 2,
	.mhz = 2000,
	.tsc_hz = 2500000000,
};

static void test_identify(void **state)
{
	struct fixture *f = *state;
	struct host host;
	int32_t mhz;

	host_stats_identify(&f->files, &from_libvirt, &host, &mhz);
	assert_int_equal(mhz, 3600);
	assert_string_equal(host.os_id, "debian");
	assert_string_equal(host.os_version, "12");
	assert_string_equal(host.arch, "x86_64");
	assert_string_equal(host.cpu.model, "EPYC");
	assert_int_equal(host.cpu.threads, 2);
	assert_int_equal(host.tsc_hz, 2500000000);
	assert_int_equal(host.cstate, CSTATE_ACTIVE);
	host_free(&host);
}

static void test_identify_without_files(void **state)
{
	struct fixture *f = *state;
	struct host_files none = {f->missing, {f->missing, f->missing}, f->missing, f->missing};
	struct host host;
	int32_t mhz;

	host_stats_identify(&none, &from_libvirt, &host, &mhz);
	assert_int_equal(mhz, 2000);
	assert_string_equal(host.os_id, "");
	assert_string_equal(host.firmware_version, "");
	host_free(&host);
}

static void test_resources(void **state)
{
	struct fixture *f = *state;
	struct host host = {0};
	struct host_last last = {0};
	struct host_round round = {
		.memory_kib = 32000 * 1024,
		.mhz = 1000,
		.cpus = 8,
		.load = {.kernel_ns = 1, .user_ns = 2, .iowait_ns = 3, .free_kib = 20000 * 1024},
		.at_ns = 1000000000,
		.vms_hugepages_mib = 500,
		.vms_memory_mib = 8000,
		.vms_resident_mib = 6000,
		.vms_vcpus = 6,
		.vms_mhz = 700,
	};

	host_stats_compute(&f->files, &round, &last, &host);
	assert_int_equal(host.hugepages.total, 1024);
	assert_int_equal(host.hugepages.free, 256);
	assert_int_equal(host.hugepages.used, 768);
	assert_int_equal(host.hugepages.used_vms, 500);
	assert_int_equal(host.hugepages.used_os, 268);
	assert_int_equal(host.hugepages.reserved_vms, 500);
	assert_int_equal(host.hugepages.available_vms, 1024 - 500 - 268);
	assert_int_equal(host.memory.total, 32000 - 1024);
	assert_int_equal(host.memory.free, 20000);
	assert_int_equal(host.memory.used, 10976);
	assert_int_equal(host.memory.used_os, 4976);
	assert_int_equal(host.memory.available_vms, 30976 - 8000 - 4976);
	/* The first round knows no interval. */
	assert_int_equal(host.processor.total, 8000);
	assert_int_equal(host.processor.reserved_vms, 3000); /* 6 x 1000 / 100 x 50 */
	assert_int_equal(host.processor.used, 0);
	assert_int_equal(host.processor.free, 0);
	assert_int_equal(host.processor.available_vms, 0);

	round.at_ns += 2000000000;
	round.load.kernel_ns += 1000000000;
	round.load.user_ns += 1500000000;
	round.load.iowait_ns += 500000000;
	host_stats_compute(&f->files, &round, &last, &host);
	assert_int_equal(host.processor.used, 1500); /* 3 s of work in 2 s */
	assert_int_equal(host.processor.free, 6500);
	assert_int_equal(host.processor.used_vms, 700);
	assert_int_equal(host.processor.used_os, 800);
	assert_int_equal(host.processor.available_vms, 8000 - 3000 - 800);

	round.at_ns += 1000000000;
	round.load = (struct hypervisor_load){.free_kib = 1}; /* the host's counters went back */
	host_stats_compute(&f->files, &round, &last, &host);
	assert_int_equal(host.processor.used, 0);
}

static int64_t memory_limit(struct fixture *f, const char *meminfo, int64_t resident_mib)
{
	struct host_round round = {.memory_kib = 10000 * 1024,
		.load = {.free_kib = 1000 * 1024},
		.vms_resident_mib = resident_mib};
	struct host host = {0};
	struct host_last last = {0};
	struct host_limits limits;

	free(write_file(f, "meminfo", meminfo));
	host_stats_compute(&f->files, &round, &last, &host);
	host_stats_limits(&f->files, &round, &host, &limits);
	return limits.memory;
}

/* Only 1000 of 10000 MiB are free, but most of the rest is cache. */
static void test_cache_does_not_keep_vms_out(void **state)
{
	static const char warm[] = "MemTotal: 10240000 kB\nMemAvailable: 8192000 kB\n";
	static const char huge[] = "MemTotal: 10240000 kB\nMemAvailable: 6144000 kB\n"
				   "HugePages_Total: 1000\nHugePages_Free: 1000\n"
				   "Hugepagesize: 2048 kB\n";
	struct fixture *f = *state;

	assert_int_equal(memory_limit(f, warm, 0), 8000);
	assert_int_equal(memory_limit(f, warm, 1500), 9500);
	assert_int_equal(memory_limit(f, warm, 9000), 10000); /* read a moment apart */
	assert_int_equal(memory_limit(f, huge, 0), 10000 - 2000 - 2000);
	assert_int_equal(memory_limit(f, "MemTotal: 10240000 kB\n", 0), 1000);
}

static void test_default_load_factor(void **state)
{
	static const char *const texts[] = {
		"", "#-o 3\n", "-o\n", "-o abc\n", "-other 7\n", "-o nan\n"};
	struct fixture *f = *state;
	struct host_round round = {.mhz = 1000, .cpus = 1, .vms_vcpus = 1};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct host host = {0};
		struct host_last last = {0};

		free(write_file(f, "preplace", texts[i]));
		host_stats_compute(&f->files, &round, &last, &host);
		assert_int_equal(host.processor.reserved_vms, 250);
	}
}

static void test_huge_figures_do_not_overflow(void **state)
{
	struct fixture *f = *state;
	struct host host = {0};
	struct host_last last = {0};
	struct host_round round = {
		.memory_kib = INT64_MAX / 2,
		.mhz = INT32_MAX,
		.cpus = INT32_MAX,
		.vms_memory_mib = INT64_C(1) << 50,
		.vms_resident_mib = INT64_C(1) << 50,
		.vms_vcpus = INT64_C(1) << 40,
	};

	host_stats_compute(&f->files, &round, &last, &host);
	assert_int_equal(host.memory.total, INT32_MAX);
	assert_int_equal(host.memory.available_vms, INT32_MIN);
	assert_int_equal(host.processor.reserved_vms, INT32_MAX);
}

static void test_rates(void **state)
{
	(void)state;
	assert_int_equal(host_stats_rate(100, 350, 500000000), 500);
	assert_int_equal(host_stats_rate(100, 50, 500000000), 0);
	assert_int_equal(host_stats_rate(100, 200, 0), 0);
	assert_int_equal(host_stats_rate(100, 200, -5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_identify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_identify_without_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resources, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cache_does_not_keep_vms_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cache_does_not_keep_vms_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_default_load_factor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_huge_figures_do_not_overflow, setup, teardown),
		cmocka_unit_test(test_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
