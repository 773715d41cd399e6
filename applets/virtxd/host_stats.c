/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host figures: small files of the system, and the table of statistics.md as code. */
#include "host_stats.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <math.h>

#define SMALL_FILE          (256 * 1024)
#define DEFAULT_LOAD_FACTOR 25.0

const struct host_files host_files_system = {
	.meminfo = "/proc/meminfo",
	.os_release = {"/etc/os-release", "/usr/lib/os-release"},
	.max_freq = "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
	.preplace = "/etc/numa-preplace.conf",
};

/* The text of a file, NULL when it cannot be read: all of these may be missing. */
static char *read_text(const char *path)
{
	struct error err = {0};

	return file_read(path, SMALL_FILE, NULL, &err);
}

static int32_t clamp(int64_t number)
{
	return number > INT32_MAX ? INT32_MAX : number < INT32_MIN ? INT32_MIN : (int32_t)number;
}

/* The number behind "NAME:" at the start of a line of /proc/meminfo; 0 when there is none. */
static int64_t meminfo_value(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			return strtoll(line + len + 1, NULL, 10);
	}
	return 0;
}

/* The value of a line NAME=VALUE of os-release, without its quotes; "" when there is none. */
static char *os_release_value(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) != 0 || line[len] != '=')
			continue;
		const char *value = line + len + 1;
		size_t end = strcspn(value, "\n");

		if (end >= 2 && (*value == '"' || *value == '\'') && value[end - 1] == *value)
			return xstrndup(value + 1, end - 2);
		return xstrndup(value, end);
	}
	return xstrdup("");
}

static void read_os(const struct host_files *files, struct host *host)
{
	cleanup_free char *text = read_text(files->os_release[0]);

	if (!text)
		text = read_text(files->os_release[1]);
	host->os_id = os_release_value(text, "ID");
	host->os_version = os_release_value(text, "VERSION_ID");
}

static int32_t read_mhz(const struct host_files *files, int32_t otherwise)
{
	cleanup_free char *text = read_text(files->max_freq);
	long long khz = text ? strtoll(text, NULL, 10) : 0;

	return khz >= 1000 ? clamp(khz / 1000) : otherwise;
}

void host_stats_identify(const struct host_files *files, const struct hypervisor_host *from,
	struct host *host, int32_t *mhz)
{
	*host = (struct host){
		.arch = xstrdup_or_null(from->arch),
		.vendor = xstrdup_or_null(from->vendor),
		.cpu = {.model = xstrdup_or_null(from->model),
			.nodes = from->nodes,
			.sockets = from->sockets,
			.cores = from->cores,
			.threads = from->threads},
		.tsc_hz = from->tsc_hz,
		.firmware_version = xstrdup_or_null(from->firmware_version),
		.firmware_date = xstrdup_or_null(from->firmware_date),
		.cstate = CSTATE_ACTIVE,
	};
	read_os(files, host);
	*mhz = read_mhz(files, from->mhz);
}

/* The load factor: the option "-o" of numa-preplace. */
static double read_load_factor(const struct host_files *files)
{
	cleanup_free char *text = read_text(files->preplace);
	double factor = DEFAULT_LOAD_FACTOR;

	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t");
		if (strncmp(line, "-o", 2) != 0 || !strchr(" \t=", line[2]) || !line[2])
			continue;
		char *end;
		double value = strtod(line + 3, &end);

		if (end != line + 3 && isfinite(value) && value >= 0)
			factor = value;
	}
	return factor;
}

/* used_os, reserved and available follow from the others in the same way everywhere. */
static void complete(struct host_resource *resource, int64_t reserved)
{
	resource->used_os = clamp((int64_t)resource->used - resource->used_vms);
	resource->reserved_vms = clamp(reserved);
	resource->available_vms = clamp((int64_t)resource->total - reserved - resource->used_os);
}

static void compute_memory(
	const struct host_files *files, const struct host_round *round, struct host *host)
{
	cleanup_free char *meminfo = read_text(files->meminfo);
	int64_t page_kib = meminfo_value(meminfo, "Hugepagesize");
	int64_t hp_total = meminfo_value(meminfo, "HugePages_Total") * page_kib / 1024;
	int64_t hp_free = meminfo_value(meminfo, "HugePages_Free") * page_kib / 1024;
	struct host_resource *hp = &host->hugepages, *memory = &host->memory;

	*hp = (struct host_resource){
		.total = clamp(hp_total),
		.free = clamp(hp_free),
		.used = clamp(hp_total - hp_free),
		.used_vms = clamp(round->vms_hugepages_mib),
	};
	complete(hp, round->vms_hugepages_mib);
	*memory = (struct host_resource){
		.total = clamp(round->memory_kib / 1024 - hp_total),
		.free = clamp(round->load.free_kib / 1024),
		.used_vms = clamp(round->vms_resident_mib),
	};
	memory->used = clamp((int64_t)memory->total - memory->free);
	complete(memory, round->vms_memory_mib);
}

static void compute_processor(const struct host_files *files, const struct host_round *round,
	struct host_last *last, struct host *host)
{
	struct host_resource *cpu = &host->processor;
	uint64_t busy = round->load.kernel_ns + round->load.iowait_ns + round->load.user_ns;
	double reserved = (double)round->vms_vcpus * round->mhz / 100 * read_load_factor(files);

	*cpu = (struct host_resource){
		.total = clamp((int64_t)round->cpus * round->mhz),
		.reserved_vms = reserved < INT32_MAX ? (int32_t)reserved : INT32_MAX,
	};
	if (last->at_ns && round->at_ns > last->at_ns) {
		uint64_t rate = host_stats_rate(last->busy_ns, busy, round->at_ns - last->at_ns);

		/*
		 * ns of work per second: a billion is one CPU fully used. The counters and the
		 * clock are not read at the same moment, so short intervals may give more than
		 * there is.
		 */
		cpu->used = clamp((int64_t)((double)rate / 1e9 * round->mhz));
		if (cpu->used > cpu->total)
			cpu->used = cpu->total;
		cpu->free = clamp((int64_t)cpu->total - cpu->used);
		cpu->used_vms = clamp(round->vms_mhz);
		complete(cpu, cpu->reserved_vms);
	}
	if (round->at_ns)
		*last = (struct host_last){.busy_ns = busy, .at_ns = round->at_ns};
}

void host_stats_compute(const struct host_files *files, const struct host_round *round,
	struct host_last *last, struct host *host)
{
	compute_memory(files, round, host);
	compute_processor(files, round, last, host);
}

void host_stats_limits(const struct host_files *files, const struct host_round *round,
	const struct host *host, struct host_limits *limits)
{
	cleanup_free char *meminfo = read_text(files->meminfo);
	int64_t total = meminfo_value(meminfo, "MemTotal") / 1024 - host->hugepages.total;
	int64_t available = meminfo_value(meminfo, "MemAvailable") / 1024;
	int64_t others = total - available - round->vms_resident_mib;

	if (!available) /* not told */
		others = host->memory.used_os;
	limits->memory = host->memory.total - (others > 0 ? others : 0);
	limits->hugepages = (int64_t)host->hugepages.total - host->hugepages.used_os;
}

uint64_t host_stats_rate(uint64_t before, uint64_t now, int64_t interval_ns)
{
	if (interval_ns <= 0 || now <= before)
		return 0;
	return (uint64_t)((double)(now - before) * 1e9 / (double)interval_ns);
}
