/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection and its two threads: one turns libvirt's event loop and never
 * waits for anything else, so that its heartbeat means something; the other
 * connects, because connecting to a frozen libvirtd can take forever. The latter is left behind at
 * stop when it does.
 */
#include "hypervisor/internal.h"

#include "base/clock.h"
#include "base/deadline.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <time.h>

#define RECONNECT_MS         5000
#define TURN_MS              1000 /* the event loop turns at least that often */
#define OPEN_MS              5000
#define FAREWELL_MS          2000
#define CONNECTOR_STOP_MS    3000
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_MISSES     3
#define EMBEDDED_URI         "qemu:///embed"

struct hypervisor *hypervisor_ref(struct hypervisor *hypervisor)
{
	atomic_fetch_add(&hypervisor->references, 1);
	return hypervisor;
}

void hypervisor_unref(struct hypervisor *hypervisor)
{
	if (!hypervisor || atomic_fetch_sub(&hypervisor->references, 1) != 1)
		return;
	pthread_cond_destroy(&hypervisor->changed);
	pthread_mutex_destroy(&hypervisor->lock);
	pthread_mutex_destroy(&hypervisor->probe_lock);
	free((char *)hypervisor->config.uri);
	free(hypervisor);
}

/* libvirt gives up a callback's context. */
static void release_context(void *context)
{
	hypervisor_unref(context);
}

static void notify_connection(struct hypervisor *hypervisor, bool connected)
{
	if (hypervisor->config.on_connection && !atomic_load(&hypervisor->stopping))
		hypervisor->config.on_connection(hypervisor->config.context, connected);
}

static int on_lifecycle(
	virConnectPtr connection, virDomainPtr domain, int event, int detail, void *context)
{
	struct hypervisor *hypervisor = context;
	enum hypervisor_event what = event == VIR_DOMAIN_EVENT_DEFINED     ? HYPERVISOR_DEFINED
				     : event == VIR_DOMAIN_EVENT_UNDEFINED ? HYPERVISOR_UNDEFINED
									   : HYPERVISOR_CHANGED;
	const char *name = libvirt.virDomainGetName(domain);
	char uuid[VIR_UUID_STRING_BUFLEN];

	(void)connection;
	(void)detail;
	if (!hypervisor->config.on_event || atomic_load(&hypervisor->stopping) || !name ||
		str_starts_with(name, PROBE_NAME_PREFIX) ||
		libvirt.virDomainGetUUIDString(domain, uuid) < 0)
		return 0;
	hypervisor->config.on_event(hypervisor->config.context, what, uuid);
	return 0;
}

static void lose_connection(
	struct hypervisor *hypervisor, virConnectPtr connection, const char *why)
{
	pthread_mutex_lock(&hypervisor->lock);
	if (hypervisor->connection == connection && hypervisor->ready) {
		hypervisor->ready = false;
		snprintf(hypervisor->why, sizeof(hypervisor->why), "%s", why);
		pthread_cond_broadcast(&hypervisor->changed);
	}
	pthread_mutex_unlock(&hypervisor->lock);
}

/* libvirt noticed that the connection broke. The connector closes it: not inside its own callback.
 */
static void on_close(virConnectPtr connection, int reason, void *context)
{
	static const char *const reasons[] = {
		[VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection to libvirt failed",
		[VIR_CONNECT_CLOSE_REASON_EOF] = "libvirt closed the connection",
		[VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "libvirt does not answer",
		[VIR_CONNECT_CLOSE_REASON_CLIENT] = "the connection to libvirt was closed",
	};
	const size_t count = sizeof(reasons) / sizeof(reasons[0]);

	lose_connection(context, connection,
		reason >= 0 && (size_t)reason < count ? reasons[reason] : reasons[0]);
}

/* Saying goodbye to a libvirtd that is frozen takes as long as that lasts, so it has a deadline. */
struct farewell {
	struct hypervisor *hypervisor;
	virConnectPtr connection;
	int events;
};

static void farewell_run(void *argument)
{
	struct farewell *farewell = argument;

	libvirt.virConnectDomainEventDeregisterAny(farewell->connection, farewell->events);
	libvirt.virConnectUnregisterCloseCallback(farewell->connection, on_close);
	libvirt.virConnectClose(farewell->connection);
}

static void farewell_free(void *argument)
{
	struct farewell *farewell = argument;

	hypervisor_unref(farewell->hypervisor);
	free(farewell);
}

static void close_connection(struct hypervisor *hypervisor, virConnectPtr connection, int events)
{
	struct farewell *farewell = xmalloc(sizeof(*farewell));

	*farewell = (struct farewell){hypervisor_ref(hypervisor), connection, events};
	if (deadline_run(farewell_run, farewell_free, farewell, FAREWELL_MS))
		farewell_free(farewell);
}

/*
 * What tells us of a connection: the close callback and domain events. Returns the events'
 * id. The close callback holds no reference: drivers that never call it never release its context
 * either, and who unregisters it holds one.
 */
static int watch_connection(
	struct hypervisor *hypervisor, virConnectPtr connection, struct error *err)
{
	int id;

	if (libvirt.virConnectRegisterCloseCallback(connection, on_close, hypervisor, NULL) < 0)
		return libvirt_error(err, "watching the connection");
	id = libvirt.virConnectDomainEventRegisterAny(connection, NULL,
		VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle),
		hypervisor_ref(hypervisor), release_context);
	if (id < 0) {
		libvirt_error(err, "asking for domain events");
		hypervisor_unref(hypervisor);
		libvirt.virConnectUnregisterCloseCallback(connection, on_close);
	}
	return id;
}

/* Makes conn the one on_close() knows, or none with NULL. */
static void set_connection(struct hypervisor *hypervisor, virConnectPtr connection, bool ready)
{
	pthread_mutex_lock(&hypervisor->lock);
	hypervisor->connection = connection;
	hypervisor->ready = ready;
	hypervisor->generation++;
	hypervisor->caps_known = false;
	pthread_mutex_unlock(&hypervisor->lock);
}

static void set_reason(struct hypervisor *hypervisor, const struct error *err)
{
	log_warning(
		"libvirt cannot be reached", "uri", hypervisor->config.uri, "reason", err->message);
	pthread_mutex_lock(&hypervisor->lock);
	snprintf(hypervisor->why, sizeof(hypervisor->why), "%s", err->message);
	/* A second attempt in this process would only hide the reason of the first. */
	hypervisor->hopeless = hypervisor_is_embedded(hypervisor);
	pthread_cond_broadcast(&hypervisor->changed);
	pthread_mutex_unlock(&hypervisor->lock);
}

/* One connection from its opening to its end. Returns when it is lost, could not be had, or at
 * stop. */
static void serve_connection(struct hypervisor *hypervisor)
{
	struct error err = {0};
	virConnectPtr connection = libvirt.virConnectOpen(hypervisor->config.uri);
	int events;

	if (!connection) {
		libvirt_error(&err, "connecting to %s", hypervisor->config.uri);
		set_reason(hypervisor, &err);
		return;
	}
	/* Refused where nothing can break, by the in-process drivers. */
	atomic_store(&hypervisor->remote, libvirt.virConnectSetKeepAlive(connection,
						  KEEPALIVE_INTERVAL_S, KEEPALIVE_MISSES) >= 0);
	/*
	 * libvirt asks every QEMU for its abilities at the first call that needs them, for seconds
	 * and with a domain locked. Let that be now, and not in the first statistics, which have a
	 * deadline.
	 */
	free(libvirt.virConnectGetCapabilities(connection));
	/* Ready before it is watched: on_close() must find it, whenever it is called. */
	set_connection(hypervisor, connection, true);
	events = watch_connection(hypervisor, connection, &err);
	if (events < 0) {
		set_connection(hypervisor, NULL, false);
		set_reason(hypervisor, &err);
		libvirt.virConnectClose(connection);
		return;
	}
	log_info("libvirt connected", "uri", hypervisor->config.uri);
	notify_connection(hypervisor, true);

	pthread_mutex_lock(&hypervisor->lock);
	pthread_cond_broadcast(&hypervisor->changed);
	while (hypervisor->ready && !atomic_load(&hypervisor->stopping))
		pthread_cond_wait(&hypervisor->changed, &hypervisor->lock);
	pthread_mutex_unlock(&hypervisor->lock);

	set_connection(hypervisor, NULL, false);
	if (!atomic_load(&hypervisor->stopping))
		log_warning("libvirt connection lost", "uri", hypervisor->config.uri, "reason",
			hypervisor->why);
	notify_connection(hypervisor, false);
	close_connection(hypervisor, connection, events);
}

/* Sleeps until then, unless stopped before. */
static void pause_until(struct hypervisor *hypervisor, int64_t when_ms)
{
	int status = 0;

	pthread_mutex_lock(&hypervisor->lock);
	while (!atomic_load(&hypervisor->stopping) && status != ETIMEDOUT)
		status = clock_wait(&hypervisor->changed, &hypervisor->lock, when_ms);
	pthread_mutex_unlock(&hypervisor->lock);
}

/* hopeless is read without the lock: nobody but this thread sets it. */
static void *connector_main(void *data)
{
	struct hypervisor *hypervisor = data;

	while (!atomic_load(&hypervisor->stopping) && !hypervisor->hopeless) {
		int64_t began = clock_ms();

		serve_connection(hypervisor);
		pause_until(hypervisor, began + hypervisor->config.reconnect_ms);
	}
	pthread_mutex_lock(&hypervisor->lock);
	hypervisor->finished = true;
	pthread_cond_broadcast(&hypervisor->changed);
	pthread_mutex_unlock(&hypervisor->lock);
	hypervisor_unref(hypervisor);
	return NULL;
}

/* Nothing to do but to turn the loop: the event thread shows that it lives. */
static void on_timer(int timer, void *context)
{
	struct hypervisor *hypervisor = context;

	(void)timer;
	atomic_store(&hypervisor->heartbeat_ms, clock_ms());
}

static void *events_main(void *data)
{
	struct hypervisor *hypervisor = data;

	while (!atomic_load(&hypervisor->quit)) {
		if (libvirt.virEventRunDefaultImpl() < 0) {
			/* Never seen; were it to last, the heartbeat stops and the processor stays
			 * free. */
			clock_nanosleep(
				CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 100000000}, NULL);
		}
	}
	return NULL;
}

static struct hypervisor *hypervisor_new(const struct hypervisor_config *config)
{
	struct hypervisor *hypervisor = xcalloc(1, sizeof(*hypervisor));

	hypervisor->config = *config;
	hypervisor->config.uri = xstrdup(config->uri);
	if (!config->reconnect_ms)
		hypervisor->config.reconnect_ms = RECONNECT_MS;
	atomic_init(&hypervisor->references, 1);
	atomic_init(&hypervisor->heartbeat_ms, clock_ms());
	pthread_mutex_init(&hypervisor->lock, NULL);
	pthread_mutex_init(&hypervisor->probe_lock, NULL);
	pthread_cond_init(&hypervisor->changed, NULL);
	str_copy(hypervisor->why, sizeof(hypervisor->why), "still connecting");
	return hypervisor;
}

/* The event loop turns once more after the connector is done: libvirt frees then what it was still
 * using. */
static void stop_events(struct hypervisor *hypervisor)
{
	atomic_store(&hypervisor->quit, true);
	libvirt.virEventUpdateTimeout(hypervisor->timer, 0);
	pthread_join(hypervisor->events, NULL);
	libvirt.virEventRemoveTimeout(hypervisor->timer);
}

struct hypervisor *hypervisor_start(const struct hypervisor_config *config, struct error *err)
{
	struct hypervisor *hypervisor;
	int status;

	if (libvirt_load(err))
		return NULL;
	hypervisor = hypervisor_new(config);
	hypervisor->timer = libvirt.virEventAddTimeout(TURN_MS, on_timer, hypervisor, NULL);
	if (hypervisor->timer < 0) {
		libvirt_error(err, "starting libvirt's event loop");
		goto fail;
	}
	status = pthread_create(&hypervisor->events, NULL, events_main, hypervisor);
	if (status) {
		error_set_errno(err, ERR_UNAVAILABLE, status, "starting libvirt's event thread");
		libvirt.virEventRemoveTimeout(hypervisor->timer);
		goto fail;
	}
	status = pthread_create(
		&hypervisor->connector, NULL, connector_main, hypervisor_ref(hypervisor));
	if (status) {
		error_set_errno(err, ERR_UNAVAILABLE, status, "starting libvirt's thread");
		hypervisor_unref(hypervisor);
		stop_events(hypervisor);
		goto fail;
	}
	return hypervisor;
fail:
	hypervisor_unref(hypervisor);
	return NULL;
}

void hypervisor_stop(struct hypervisor *hypervisor)
{
	int64_t until = clock_ms() + CONNECTOR_STOP_MS;
	bool finished;
	int status = 0;

	if (!hypervisor)
		return;
	pthread_mutex_lock(&hypervisor->lock);
	atomic_store(&hypervisor->stopping, true);
	pthread_cond_broadcast(&hypervisor->changed);
	while (!hypervisor->finished && status != ETIMEDOUT)
		status = clock_wait(&hypervisor->changed, &hypervisor->lock, until);
	finished = hypervisor->finished;
	pthread_mutex_unlock(&hypervisor->lock);
	if (finished)
		pthread_join(hypervisor->connector, NULL);
	else
		pthread_detach(hypervisor->connector);
	stop_events(hypervisor);
	hypervisor_unref(hypervisor);
}

int hypervisor_wait(struct hypervisor *hypervisor, unsigned timeout_ms, struct error *err)
{
	int64_t until = clock_ms() + timeout_ms;
	int status = 0;
	int result = 0;

	pthread_mutex_lock(&hypervisor->lock);
	while (!hypervisor->ready && !hypervisor->hopeless && status != ETIMEDOUT)
		status = clock_wait(&hypervisor->changed, &hypervisor->lock, until);
	if (!hypervisor->ready) {
		result = error_set(err, ERR_UNAVAILABLE, "%s", hypervisor->why);
		if (strstr(hypervisor->why, "Failed to parse user"))
			error_hint(err,
				"libvirt's QEMU driver needs the system account it names when "
				"it runs as root: useradd --system --user-group NAME");
	}
	pthread_mutex_unlock(&hypervisor->lock);
	return result;
}

bool hypervisor_is_connected(struct hypervisor *hypervisor, char *why, size_t size)
{
	bool connected;

	pthread_mutex_lock(&hypervisor->lock);
	connected = hypervisor->ready;
	if (why && size)
		snprintf(why, size, "%s", connected ? "" : hypervisor->why);
	pthread_mutex_unlock(&hypervisor->lock);
	return connected;
}

int64_t hypervisor_heartbeat(struct hypervisor *hypervisor)
{
	return atomic_load(&hypervisor->heartbeat_ms);
}

bool hypervisor_is_embedded(const struct hypervisor *hypervisor)
{
	return str_starts_with(hypervisor->config.uri, EMBEDDED_URI);
}

/* Opening a connection, which a frozen libvirtd never answers. */
struct opening {
	struct hypervisor *hypervisor;
	virConnectPtr connection;
	struct error err;
};

static void opening_run(void *argument)
{
	struct opening *opening = argument;

	opening->connection = libvirt.virConnectOpen(opening->hypervisor->config.uri);
	if (opening->connection)
		libvirt.virConnectSetKeepAlive(
			opening->connection, KEEPALIVE_INTERVAL_S, KEEPALIVE_MISSES);
	else
		libvirt_error(&opening->err, "connecting to libvirt");
}

static void opening_discard(void *argument)
{
	struct opening *opening = argument;

	libvirt_cleanup_connect(&opening->connection);
	hypervisor_unref(opening->hypervisor);
	free(opening);
}

static virConnectPtr open_another(struct hypervisor *hypervisor, struct error *err)
{
	struct opening *opening = xcalloc(1, sizeof(*opening));
	virConnectPtr connection;

	opening->hypervisor = hypervisor_ref(hypervisor);
	if (!deadline_run(opening_run, opening_discard, opening, OPEN_MS)) {
		error_set(err, ERR_UNAVAILABLE, "libvirt does not answer");
		return NULL;
	}
	connection = steal(&opening->connection);
	if (!connection)
		error_set(err, ERR_UNAVAILABLE, "%s", opening->err.message);
	opening_discard(opening);
	return connection;
}

/*
 * The long-lived connection belongs to the event loop. Calls from our threads must not share
 * it when it goes to a libvirtd: two waiting at once corrupt the stack in libvirt before 10.4
 * (CVE-2024-4418), which Debian 12 has. Each call opens its own in 0.8 ms. In-process drivers
 * have no such wire; there all share one.
 */
virConnectPtr hypervisor_connection(struct hypervisor *hypervisor, struct error *err)
{
	virConnectPtr connection = NULL;
	bool ready;

	pthread_mutex_lock(&hypervisor->lock);
	ready = hypervisor->ready;
	if (!ready) {
		error_set(err, ERR_UNAVAILABLE, "no connection to libvirt: %s", hypervisor->why);
	} else if (!atomic_load(&hypervisor->remote)) {
		connection = hypervisor->connection;
		libvirt.virConnectRef(connection); /* an atomic increment, no call to a driver */
	}
	pthread_mutex_unlock(&hypervisor->lock);
	return ready && !connection ? open_another(hypervisor, err) : connection;
}
