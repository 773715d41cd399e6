/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtxd_main: the command line, signals, and the loop that waits for them and feeds the watchdog.
 */
#include "applets/applets.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "daemon.h"
#include "storage/cluster_key.h"
#include "systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#define END_MS         29000 /* of the 30 s that are promised */
#define EXIT_UNCHECKED 2     /* of --check: the command line or the configuration is wrong */
#define MALLOC_ARENAS  2     /* glibc's eight per CPU keep what a thread once needed */

/* What main needs at a signal. */
struct main_loop {
	int signals; /* signalfd */
	struct daemon *daemon;
	const char *file; /* --config */
	int argc;
	char **argv;
};

static int fail(const struct error *err)
{
	log_error(err->message, "code", error_code_word(err->code), "hint",
		err->hint[0] ? err->hint : NULL);
	return 1;
}

static void print_help(void)
{
	printf("usage: virtxd [--config FILE] [--standalone] [OPTION]...\n\n"
	       "Serves the VirtX API for this host. VMs keep running when it ends.\n\n"
	       "  --config FILE\n      Configuration (default %s): KEY = VALUE, as the options "
	       "below with _ for -.\n"
	       "  --init-cluster\n      Make vms_dir the storage of a new cluster, and end.\n"
	       "  --check\n      Check what a deployment needs on this host, and end.\n"
	       "  --print-config\n      Print a configuration file with every key explained.\n"
	       "  --help, --version\n\n",
		SETTINGS_FILE);
	config_print_help(settings_rows, stdout);
}

static void print_config(void)
{
	printf("# Configuration of virtxd: KEY = VALUE, see virtxd.conf(5). What is commented out "
	       "is the "
	       "default.\n");
	config_print_example(settings_rows, stdout);
}

static int init_cluster(const struct settings *settings)
{
	struct error err = {0};
	char cluster[UUID_TEXT_SIZE];
	uint8_t key[CLUSTER_KEY_SIZE];

	if (store_init(settings->vms_dir, cluster, &err) < 0)
		return fail(&err);
	cleanup_close int root = open(settings->vms_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) {
		error_set_errno(&err, ERR_UNAVAILABLE, errno, "%s", settings->vms_dir);
		return fail(&err);
	}
	if (cluster_key_load(root, key, &err) < 0)
		return fail(&err);
	printf("%s is the storage of cluster %s\n", settings->vms_dir, cluster);
	return 0;
}

/* Blocked in every thread; read where the main loop waits. */
static int catch_signals(void)
{
	sigset_t caught;

	sigemptyset(&caught);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &caught, NULL);
	return signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void prepare_process(void)
{
	struct rlimit files;

	mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* The next signal, 0 when there is none. */
static int next_signal(const struct main_loop *loop)
{
	struct signalfd_siginfo info;

	if (read(loop->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

/* For daemon_start: a reload while it starts is of no use, as the file was only just read. */
static bool is_interrupted(void *context)
{
	int number;

	while ((number = next_signal(context)))
		if (number != SIGHUP)
			return true;
	return false;
}

static void reload(const struct main_loop *loop)
{
	struct settings settings;
	struct error err = {0};

	systemd_notify_reloading();
	if (settings_load(&settings, loop->file, loop->argc, loop->argv, &err) < 0) {
		log_error("configuration not reloaded, the old one stays", "reason", err.message,
			"hint", err.hint[0] ? err.hint : NULL);
	} else {
		daemon_reload(loop->daemon, &settings);
		settings_free(&settings);
	}
	systemd_notify("READY=1");
}

static void feed_watchdog(struct daemon *daemon)
{
	const char *hangs;

	if (daemon_is_alive(daemon, &hangs))
		systemd_notify("WATCHDOG=1");
	else
		log_error("a part of the daemon hangs", "part", hangs);
}

/* Until a signal ends it. */
static void run(const struct main_loop *loop)
{
	unsigned watchdog_ms = systemd_watchdog_ms();
	struct pollfd signals = {.fd = loop->signals, .events = POLLIN};

	for (;;) {
		int number, ready = poll(&signals, 1, watchdog_ms ? (int)watchdog_ms : -1);

		if (watchdog_ms && ready <= 0)
			feed_watchdog(loop->daemon);
		while ((number = next_signal(loop))) {
			if (number != SIGHUP) {
				log_info("stopping", "signal", strsignal(number));
				return;
			}
			reload(loop);
		}
	}
}

static void *end_late(void *unused)
{
	(void)unused;
	int64_t end = clock_ms() + END_MS;

	for (int64_t left = END_MS; left > 0; left = end - clock_ms())
		poll(NULL, 0, (int)left);
	log_warning(
		"stopped although something hangs; the next start puts right what it was doing");
	_exit(0);
}

/* Stopping waits for several parts in turn, each with a limit of its own: this one is for all. */
static void end_in_time(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, end_late, NULL) == 0)
		pthread_detach(thread);
}

static int serve(struct main_loop *loop, const struct settings *settings)
{
	struct daemon daemon;
	struct error err = {0};

	prepare_process();
	loop->signals = catch_signals();
	if (loop->signals < 0) {
		error_set_errno(&err, ERR_INTERNAL, errno, "signalfd");
		return fail(&err);
	}
	log_set_level((enum log_level)settings->log_level);
	loop->daemon = &daemon;
	if (daemon_start(&daemon, settings, is_interrupted, loop, &err) < 0)
		return err.code == ERR_CANCELLED ? 0 : fail(&err);
	systemd_notify("READY=1");
	run(loop);
	systemd_notify("STOPPING=1");
	end_in_time();
	bool all_ended = daemon_stop(&daemon);
	log_info("stopped");
	/* Threads that were left behind must not find what exit() takes apart. */
	if (!all_ended)
		_exit(0);
	return 0;
}

int virtxd_main(int argc, char **argv)
{
	struct main_loop loop = {.argc = argc, .argv = argv};
	struct settings_command command;
	struct settings settings;
	struct error err = {0};

	if (settings_parse_command(argc, argv, &command, &err) < 0) {
		fail(&err);
		return command.check ? EXIT_UNCHECKED : 1;
	}
	if (command.help) {
		print_help();
		return 0;
	}
	if (command.print_config) {
		print_config();
		return 0;
	}
	if (command.version) {
		printf("virtxd %s\n", VIRTX_VERSION);
		return 0;
	}
	loop.file = command.file;
	if (settings_load(&settings, command.file, argc, argv, &err) < 0) {
		fail(&err);
		return command.check ? EXIT_UNCHECKED : 1;
	}
	int status = command.check          ? check_host(&settings)
		     : command.init_cluster ? init_cluster(&settings)
					    : serve(&loop, &settings);
	settings_free(&settings);
	return status;
}
