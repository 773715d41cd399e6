/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of checks, and what is said of them. */
#include "check.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/lease.h"

#include <signal.h>
#include <sys/timex.h>

#define LIMIT_MS  5000
#define FILE_MAX  (1024 * 1024)
#define NAME_SIZE 14

static const char *const level_words[CHECK_LEVELS] = {"ok", "warn", "FAIL", "skip"};

static void host_check_clock(struct check *check)
{
	struct timex now = {0};

	if (adjtimex(&now) == TIME_ERROR || (now.status & STA_UNSYNC))
		check_set(check, CHECK_WARN,
			"start chronyd or another NTP service: hosts whose clocks differ by more "
			"than two minutes do not know each other",
			"nothing keeps the clock right");
	else
		check_set(check, CHECK_OK, NULL, "kept right, to %ld ms", now.maxerror / 1000);
}

/* In the order in which things depend on each other. */
static const struct {
	const char *name;
	void (*run)(struct check *check);
} checks[] = {
	{"storage", host_check_storage},
	{"mount", host_check_mount},
	{"permissions", host_check_permissions},
	{"accounts", host_check_accounts},
	{"O_DIRECT", host_check_direct_io},
	{"cluster key", host_check_key},
	{"sanlock", host_check_sanlock},
	{"lockspace", host_check_lockspace},
	{"sanlock name", host_check_sanlock_name},
	{"watchdog", host_check_watchdog},
	{"libvirt", host_check_libvirt},
	{"plugin", host_check_plugin},
	{"qemu.conf", host_check_qemu_conf},
	{"plugin conf", host_check_plugin_conf},
	{"migration", host_check_migration},
	{"serf", host_check_serf},
	{"encryption", host_check_encryption},
	{"names", host_check_names},
	{"others", host_check_others},
	{"clock", host_check_clock},
};

void check_set(
	struct check *check, enum check_level level, const char *todo, const char *format, ...)
{
	va_list args;

	check->level = level;
	snprintf(check->todo, sizeof(check->todo), "%s", todo ? todo : "");
	va_start(args, format);
	vsnprintf(check->text, sizeof(check->text), format, args);
	va_end(args);
}

void check_set_error(
	struct check *check, enum check_level level, const struct error *err, const char *todo)
{
	check_set(check, level, err->hint[0] ? err->hint : todo, "%s", err->message);
}

bool check_skips_sanlock(struct check *check)
{
	if (check->settings->lock_manager == LOCK_MANAGER_SANLOCK)
		return false;
	check_set(check, CHECK_SKIP, NULL, "lock_manager is not sanlock");
	return true;
}

bool check_skips_standalone(struct check *check)
{
	if (check->settings->standalone)
		check_set(check, CHECK_SKIP, NULL, "standalone");
	return check->settings->standalone;
}

/* The value in a line "KEY = VALUE", with or without quotes, in place; NULL for any other line. */
static char *parse_line(char *line, const char *key)
{
	size_t len = strlen(key);

	line += strspn(line, " \t");
	if (!str_starts_with(line, key))
		return NULL;
	line += len + strspn(line + len, " \t");
	if (*line++ != '=')
		return NULL;
	line += strspn(line, " \t");
	char quote = *line == '"' || *line == '\'' ? *line++ : '\0';
	char ends[] = {quote ? quote : ' ', quote ? '\0' : '\t', '#', '\r', '\0'};
	line[strcspn(line, ends)] = '\0';
	return line;
}

char *check_read_key(const char *file, const char *key)
{
	struct error ignored = {0};
	cleanup_free char *text = file_read(file, FILE_MAX, NULL, &ignored);
	char *value = NULL, *rest = text;

	while (rest && *rest) {
		char *line = strsep(&rest, "\n"), *found = parse_line(line, key);

		if (found) {
			free(value);
			value = xstrdup(found);
		}
	}
	return value;
}

/* One check on its way. */
struct errand {
	struct check check;
	void (*run)(struct check *check);
};

static void errand_run(void *argument)
{
	struct errand *errand = argument;

	errand->run(&errand->check);
}

/* What others said must not look like lines of ours. */
static void print_clean(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
}

static void print_result(const char *name, const struct check *check)
{
	printf("%-5s %-*s ", level_words[check->level], NAME_SIZE, name);
	print_clean(check->text);
	if (*check->todo) {
		printf("; ");
		print_clean(check->todo);
	}
	putchar('\n');
	fflush(stdout);
}

/* Its level; *left is set when it hangs. */
static enum check_level run_check(size_t i, const struct settings *settings, bool *left)
{
	struct errand *errand = xcalloc(1, sizeof(*errand));

	*errand = (struct errand){.check.settings = settings, .run = checks[i].run};
	if (!deadline_run(errand_run, free, errand, LIMIT_MS)) {
		struct check late = {0};

		*left = true;
		check_set(&late, CHECK_FAIL, "find out what hangs, and run this again",
			"no answer within %d s", LIMIT_MS / 1000);
		print_result(checks[i].name, &late);
		return CHECK_FAIL;
	}
	enum check_level level = errand->check.level;
	print_result(checks[i].name, &errand->check);
	free(errand);
	return level;
}

int check_host(const struct settings *settings)
{
	const size_t count = sizeof(checks) / sizeof(checks[0]);
	unsigned counts[CHECK_LEVELS] = {0};
	bool left = false;

	/* What goes wrong is said in the results. */
	log_set_level(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < count; i++)
		counts[run_check(i, settings, &left)]++;
	printf("%zu checks: %u ok, %u warnings, %u failed, %u skipped\n", count, counts[CHECK_OK],
		counts[CHECK_WARN], counts[CHECK_FAIL], counts[CHECK_SKIP]);
	fflush(stdout);
	int status = counts[CHECK_FAIL] ? 1 : 0;
	/* Threads that hang must not find what exit() takes apart. */
	if (left)
		_exit(status);
	return status;
}
