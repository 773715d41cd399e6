/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts the parts in their order and stops them in the opposite one (spec: design.md, Daemon). */
#include "daemon.h"

#include "access.h"
#include "admission.h"
#include "announce.h"
#include "background.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/claims.h"
#include "collector.h"
#include "drain_host.h"
#include "forward.h"
#include "hypervisor/embedded.h"
#include "local_vms.h"
#include "lockspace_watch.h"
#include "membership.h"
#include "migration.h"
#include "operations.h"
#include "ownership.h"
#include "readiness.h"
#include "recovery.h"
#include "recovery_watch.h"
#include "routes.h"
#include "seed_lease.h"
#include "state.h"
#include "storage/cluster_key.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#define WAIT_MESSAGE_MS   5000
#define WAIT_STEP_MS      500
#define DRAIN_MS          25000 /* of the 30 s in which the daemon ends */
#define HTTP_SILENT_MS    10000
#define COLLECT_SILENT_MS 90000 /* a round may wait for a QEMU that hangs */
#define LIBVIRT_SILENT_MS 60000

static int choose_host_name(struct daemon *daemon, struct error *err)
{
	if (*daemon->settings.host_name) {
		str_copy(daemon->host_name, sizeof(daemon->host_name), daemon->settings.host_name);
		return 0;
	}
	if (gethostname(daemon->host_name, sizeof(daemon->host_name) - 1) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "the name of this host");
	return 0;
}

/* Where libvirt is: as configured, or the embedded driver below the state directory. */
/* Folder of libvirt's embedded driver. The caller frees it. */
static char *embedded_root(const struct daemon *daemon)
{
	return xasprintf("%s/qemu", daemon->settings.state_dir);
}

static char *choose_uri(const struct daemon *daemon, struct error *err)
{
	cleanup_free char *root = embedded_root(daemon);
	char *uri = NULL;

	if (*daemon->settings.libvirt_uri)
		return xstrdup(daemon->settings.libvirt_uri);
	return hypervisor_embedded_prepare(root, &uri, err) < 0 ? NULL : uri;
}

static int start_hypervisor(struct daemon *daemon, struct error *err)
{
	cleanup_free char *uri = choose_uri(daemon, err);

	if (!uri)
		return -1;
	daemon->inventory = inventory_new();
	daemon->collector = collector_new(daemon);
	daemon->hypervisor = hypervisor_start(
		&(struct hypervisor_config){
			.uri = uri,
			.on_event = collector_on_event,
			.on_connection = collector_on_connection,
			.context = daemon->collector,
		},
		err);
	return daemon->hypervisor ? 0 : -1;
}

/* The next two: 0 when it is there, -1 when not, 1 when that is not known yet; they take a moment.
 */
static int look_for_libvirt(struct daemon *daemon, struct error *why)
{
	return hypervisor_wait(daemon->hypervisor, WAIT_STEP_MS, why);
}

static int look_for_lockspace(struct daemon *daemon, struct error *why)
{
	if (lockspace_watch_check(daemon->lockspace, why) == 0)
		return 0;
	poll(NULL, 0, WAIT_STEP_MS);
	return lockspace_watch_has_tried(daemon->lockspace) ? -1 : 1;
}

/* Waits as long as the setting `wait` says, with a word every 5 s. */
static int wait_for(struct daemon *daemon, const char *what,
	int (*look)(struct daemon *daemon, struct error *why), bool (*interrupted)(void *context),
	void *context, struct error *err)
{
	int64_t start = clock_ms(), next = start + WAIT_MESSAGE_MS;
	int64_t limit =
		daemon->settings.wait < 0 ? INT64_MAX : start + daemon->settings.wait * 1000;

	for (;;) {
		struct error why = {0};

		int found = look(daemon, &why);
		if (found == 0)
			return 0;
		int64_t now = clock_ms();
		if (found < 0 && now >= limit)
			return error_set(err, ERR_UNAVAILABLE, "%s: %s", what, why.message);
		if (interrupted(context))
			return error_set(err, ERR_CANCELLED, "stopped while waiting for %s", what);
		if (now >= next) {
			log_warning("waiting", "for", what, "reason", why.message, "hint",
				why.hint[0] ? why.hint : NULL);
			next = now + WAIT_MESSAGE_MS;
		}
	}
}

/* KVM only where it is known to run a guest, unless the setting insists. */
static void choose_virt_type(struct daemon *daemon)
{
	char why[256] = "not offered";

	daemon->virt_type = (enum virt_type)daemon->settings.virt_type;
	if (daemon->virt_type != VIRT_TYPE_AUTO)
		return;
	daemon->virt_type = VIRT_TYPE_QEMU;
	if (daemon->caps.kvm && hypervisor_probe_kvm(daemon->hypervisor, why, sizeof(why)))
		daemon->virt_type = VIRT_TYPE_KVM;
	else
		log_info("guests are emulated, without KVM", "reason", why);
}

/* What libvirt tells about the host. The test driver knows no QEMU, which is no reason not to
 * start. */
static int learn_host(struct daemon *daemon, struct error *err)
{
	struct hypervisor_host host = {0};
	struct error why = {0};

	if (hypervisor_get_host(daemon->hypervisor, &host, err) < 0)
		return -1;
	str_copy(daemon->arch, sizeof(daemon->arch), host.arch);
	int result = state_choose_host_uuid(daemon->settings.state_dir, daemon->settings.host_uuid,
		host.uuid, hypervisor_is_embedded(daemon->hypervisor), daemon->host_uuid, err);
	hypervisor_host_clear(&host);
	if (result < 0)
		return -1;
	if (hypervisor_get_caps(daemon->hypervisor, &daemon->caps, &why) < 0)
		log_warning("capabilities of libvirt not read", "reason", why.message);
	choose_virt_type(daemon);
	operations_set_host(daemon->operations, daemon->host_uuid);
	return 0;
}

/* "web-01 (UUID)", for errors of the storage. */
static char *name_vm(void *context, const char *uuid)
{
	struct daemon *daemon = context;
	struct vm_place vm;
	struct error ignored = {0};

	if (inventory_find_vm(daemon->inventory, uuid, &vm, &ignored) < 0)
		return NULL;
	return xasprintf("%s (%s)", vm.name, uuid);
}

/* Standalone makes its own storage at the first start. */
static int open_store(struct daemon *daemon, struct error *err)
{
	const struct settings *settings = &daemon->settings;
	char cluster[UUID_TEXT_SIZE];

	if (settings->standalone && store_init(settings->vms_dir, cluster, err) < 0)
		return -1;
	daemon->store = store_open(
		&(struct store_config){
			.vms_dir = settings->vms_dir,
			.host_uuid = daemon->host_uuid,
			.lock_manager = (enum lock_manager)settings->lock_manager,
			.sanlock_io_timeout = (unsigned)settings->sanlock_io_timeout,
			.name_vm = name_vm,
			.context = daemon,
		},
		err);
	return daemon->store ? 0 : -1;
}

/* The operations that recovery settles need the leases. */
static int start_lockspace(
	struct daemon *daemon, bool (*interrupted)(void *context), void *context, struct error *err)
{
	if (daemon->settings.lock_manager != LOCK_MANAGER_SANLOCK)
		return 0;
	daemon->seed_leases = seed_leases_new(daemon);
	daemon->lockspace = lockspace_watch_start(daemon, err);
	if (!daemon->lockspace)
		return -1;
	return wait_for(daemon, "the lockspace", look_for_lockspace, interrupted, context, err);
}

/* A key that cannot be used keeps other hosts away, and nothing else. */
static void start_forwarding(struct daemon *daemon)
{
	uint8_t key[CLUSTER_KEY_SIZE];
	struct error err = {0};

	if (daemon->settings.standalone)
		return;
	bool has_key = cluster_key_load(store_root(daemon->store), key, &err) == 0;
	if (!has_key)
		log_error("no key of the cluster; nothing is forwarded to or taken from its other "
			  "hosts",
			"reason", err.message, "hint", err.hint[0] ? err.hint : NULL);
	daemon->peers = peers_new(daemon->host_uuid, daemon->settings.allow_old_peers);
	daemon->forward = forward_new(daemon->peers, has_key ? key : NULL, daemon->host_uuid);
	explicit_bzero(key, sizeof(key));
	daemon->announce = announce_new(daemon);
	daemon->admissions = admissions_new(daemon);
}

/* In a cluster other hosts have their say about who has which VM. */
static void start_claims(struct daemon *daemon)
{
	if (daemon->settings.standalone)
		return;
	daemon->claims = claims_new(daemon->inventory, daemon->host_uuid);
	local_vms_publish_by(collector_vms(daemon->collector), daemon->claims);
}

static int start_ownership(struct daemon *daemon, struct error *err)
{
	if (daemon->settings.standalone)
		return 0;
	daemon->ownership = ownership_start(daemon, err);
	return daemon->ownership ? 0 : -1;
}

static int start_membership(struct daemon *daemon, struct error *err)
{
	if (daemon->settings.standalone || !*daemon->settings.serf_rpc)
		return 0;
	daemon->membership = membership_start(daemon, err);
	return daemon->membership ? 0 : error_prefix(err, "serf_rpc");
}

/* For the HTTP server: who goes first. */
static bool is_peer(void *context, const struct sockaddr *address)
{
	const struct daemon *daemon = context;

	return daemon->peers && peers_is_address(daemon->peers, address);
}

static void log_access(
	void *context, const struct http_request *request, int status, int64_t microseconds)
{
	(void)context;
	log_debug("access", "method", request->method, "target", request->target, "status",
		LOG_NUM(status), "us", LOG_NUM(microseconds), "request", request->id, "client",
		request->client);
}

static int start_http(struct daemon *daemon, struct error *err)
{
	const struct settings *settings = &daemon->settings;

	daemon->access = access_new(daemon->settings.listen, daemon->host_name, daemon->inventory);
	access_set_allowed(daemon->access, settings->allowed_hosts);
	daemon->http = http_server_start(
		&(struct http_server_config){
			.listen = (const char *const *)settings->listen,
			.threads = (unsigned)settings->threads,
			.max_connections = (unsigned)settings->max_connections,
			.classify = routes_classify,
			.handle = routes_handle,
			.is_peer = is_peer,
			.on_done = log_access,
			.context = daemon,
			.host_name = daemon->host_name,
		},
		err);
	return daemon->http ? 0 : -1;
}

/*
 * Standalone, QEMU's start ends with the daemon that was starting it. Nobody was told that such a
 * guest runs; it goes before libvirt would wait for it.
 */
static void end_cut_starts(struct daemon *daemon)
{
	cleanup_free char(*vms)[UUID_TEXT_SIZE] = NULL;
	cleanup_free char *root = embedded_root(daemon);
	size_t count = operations_list_interrupted(daemon->operations, "boot", &vms);

	for (size_t i = 0; i < count; i++) {
		struct error err = {0};
		int ended = hypervisor_embedded_end_guest(root, vms[i], &err);

		if (ended > 0)
			log_warning("guest that was cut in its start is ended", "vm", vms[i]);
		else if (ended < 0)
			log_error("guest that was cut in its start stays", "vm", vms[i], "error",
				err.message);
	}
}

static int start_parts(
	struct daemon *daemon, bool (*interrupted)(void *context), void *context, struct error *err)
{
	if (choose_host_name(daemon, err) < 0)
		return -1;
	daemon->state_lock = state_lock(daemon->settings.state_dir, err);
	if (daemon->state_lock < 0)
		return -1;
	daemon->operations = operations_open(daemon->settings.state_dir, err);
	if (!daemon->operations)
		return -1;
	if (daemon->settings.standalone)
		end_cut_starts(daemon);
	if (start_hypervisor(daemon, err) < 0 ||
		wait_for(daemon, "libvirt", look_for_libvirt, interrupted, context, err) < 0 ||
		learn_host(daemon, err) < 0)
		return -1;
	start_claims(daemon);
	if (collector_start(daemon->collector, err) < 0 || open_store(daemon, err) < 0)
		return -1;
	daemon->migrations = migrations_new();
	daemon->drain = drain_host_new(daemon);
	daemon->recovery_watch = recovery_watch_new(daemon);
	daemon->readiness = readiness_start(daemon, err);
	if (!daemon->readiness)
		return -1;
	if (start_lockspace(daemon, interrupted, context, err) < 0 ||
		recovery_run(daemon, err) < 0 ||
		recovery_watch_start(daemon->recovery_watch, err) < 0)
		return -1;
	start_forwarding(daemon);
	if (start_http(daemon, err) < 0 || start_membership(daemon, err) < 0 ||
		start_ownership(daemon, err) < 0)
		return -1;
	drain_host_resume(daemon->drain);
	return 0;
}

/* Tells where the API is: in the log, and in STATE_DIR/address for programs. */
static void announce(struct daemon *daemon)
{
	cleanup_free char *lines = xstrdup("");

	for (size_t i = 0; daemon->settings.listen[i]; i++) {
		const char *address = http_server_address(daemon->http, i);
		cleanup_free char *before = lines;

		lines = xasprintf("%s%s\n", before, address);
		log_info("ready", "address", address, "host", daemon->host_name, "uuid",
			daemon->host_uuid, "virt_type",
			enum_name(&virt_type_names, (int)daemon->virt_type));
	}
	state_publish_address(daemon->settings.state_dir, lines);
}

int daemon_start(struct daemon *daemon, const struct settings *settings,
	bool (*interrupted)(void *context), void *context, struct error *err)
{
	*daemon = (struct daemon){.state_lock = -1};
	config_copy(settings_rows, &daemon->settings, settings);
	if (start_parts(daemon, interrupted, context, err) < 0) {
		daemon_stop(daemon);
		return -1;
	}
	announce(daemon);
	return 0;
}

static unsigned time_left(int64_t end)
{
	int64_t left = end - clock_ms();

	return left > 0 ? (unsigned)left : 0;
}

/*
 * Lets requests and operations end: nothing new begins, what can be cancelled is, and takes itself
 * back. False when some go on: what they use must not be freed then.
 */
static bool drain(struct daemon *daemon)
{
	unsigned operations = 0, requests = 0;
	int64_t end = clock_ms() + DRAIN_MS;

	drain_host_interrupt(daemon->drain);
	if (daemon->operations)
		operations_drain(daemon->operations, 0);
	if (daemon->http) {
		state_publish_address(daemon->settings.state_dir, NULL);
		requests = http_server_stop(daemon->http, DRAIN_MS);
		daemon->http = NULL;
	}
	if (daemon->operations)
		operations = operations_drain(daemon->operations, time_left(end));
	bool idle = background_wait(time_left(end));
	if (!operations && !requests && idle)
		return true;
	log_warning("stopped in the middle of operations; the next start puts them right",
		"operations", LOG_NUM(operations), "requests", LOG_NUM(requests));
	return false;
}

bool daemon_stop(struct daemon *daemon)
{
	bool drained = drain(daemon);

	/* What still works may wait for the same as these would. */
	if (drained) {
		membership_stop(daemon->membership);
		collector_stop(daemon->collector);
	}
	bool lockspace_ended = lockspace_watch_stop(daemon->lockspace);
	bool ownership_ended = ownership_stop(daemon->ownership);
	bool storage_answers = readiness_stop(daemon->readiness);
	if (!drained || !storage_answers || !lockspace_ended || !ownership_ended ||
		!recovery_watch_stop(daemon->recovery_watch))
		return false;
	drain_host_free(daemon->drain);
	seed_leases_free(daemon->seed_leases);
	migrations_free(daemon->migrations);
	operations_close(daemon->operations);
	access_free(daemon->access);
	admissions_free(daemon->admissions);
	announce_free(daemon->announce);
	forward_free(daemon->forward);
	peers_free(daemon->peers);
	hypervisor_stop(daemon->hypervisor);
	collector_free(daemon->collector);
	store_close(daemon->store);
	claims_free(daemon->claims);
	inventory_free(daemon->inventory);
	if (daemon->state_lock >= 0)
		close(daemon->state_lock);
	settings_free(&daemon->settings);
	return true;
}

void daemon_reload(struct daemon *daemon, const struct settings *settings)
{
	for (const struct config_row *row = settings_rows; row->key; row++) {
		cleanup_free char *before = config_get(row, &daemon->settings);
		cleanup_free char *now = config_get(row, settings);

		if (!row->reloads && !str_equal(before, now))
			log_warning("setting takes effect at the next start", "key", row->key);
	}
	log_set_level((enum log_level)settings->log_level);
	access_set_allowed(daemon->access, settings->allowed_hosts);
	log_info("configuration reloaded");
}

bool daemon_is_alive(struct daemon *daemon, const char **hangs)
{
	const struct {
		const char *name;
		int64_t seen, limit;
	} parts[] = {
		{"http", http_server_heartbeat(daemon->http), HTTP_SILENT_MS},
		{"collector", collector_heartbeat(daemon->collector), COLLECT_SILENT_MS},
		{"libvirt events", hypervisor_heartbeat(daemon->hypervisor), LIBVIRT_SILENT_MS},
	};
	int64_t now = clock_ms();

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (now - parts[i].seen > parts[i].limit) {
			*hangs = parts[i].name;
			return false;
		}
	}
	return true;
}
