/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading libvirt, and its errors as ours. */
#include "hypervisor/libvirt_load.h"

#include "base/str.h"

#include <dlfcn.h>
#include <pthread.h>

struct libvirt libvirt;

static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;

/* libvirt prints every error by default; ours travel in struct error. */
static void discard_error(void *context, virErrorPtr error)
{
	(void)context;
	(void)error;
}

static int find_functions(void *library, struct error *err)
{
	static const struct {
		const char *name;
		void **slot;
	} functions[] = {
#define LIBVIRT_ROW(name) {#name, (void **)&libvirt.name},
		LIBVIRT_FUNCTIONS(LIBVIRT_ROW)
#undef LIBVIRT_ROW
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		*functions[i].slot = dlsym(library, functions[i].name);
		if (!*functions[i].slot)
			return error_set(err, ERR_UNAVAILABLE,
				"the installed libvirt is too old: no %s", functions[i].name);
	}
	return 0;
}

static int load(struct error *err)
{
	/*
	 * Local: the embedded driver's modules name libvirt.so.0 as a library they
	 * need, so they find its symbols without our making them global.
	 */
	void *library = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		const char *reason = dlerror();

		error_set(err, ERR_UNAVAILABLE, "libvirt cannot be loaded: %s",
			reason ? reason : "no reason given");
		return error_hint(
			err, "install it: package libvirt0 (Debian), libvirt-libs (SUSE, Fedora)");
	}
	if (find_functions(library, err)) {
		dlclose(library);
		return -1;
	}
	/*
	 * Warnings of the in-process driver would go to standard error, between the
	 * lines of our log. No output is configured for it: libvirt would then log every failed
	 * call too.
	 */
	if (!getenv("LIBVIRT_LOG_OUTPUTS") && !getenv("LIBVIRT_LOG_FILTERS"))
		setenv("LIBVIRT_DEBUG", "error", 0);
	if (libvirt.virInitialize() < 0)
		return libvirt_error(err, "initialising libvirt");
	libvirt.virSetErrorFunc(NULL, discard_error);
	if (libvirt.virEventRegisterDefaultImpl() < 0)
		return libvirt_error(err, "registering libvirt's event loop");
	return 0;
}

int libvirt_load(struct error *err)
{
	static bool loaded;
	int result = 0;

	pthread_mutex_lock(&load_lock);
	if (!loaded) {
		result = load(err);
		loaded = result == 0;
	}
	pthread_mutex_unlock(&load_lock);
	return result;
}

static enum error_code error_code_of(const virError *error)
{
	switch (error->code) {
	case VIR_ERR_NO_DOMAIN:
		return ERR_NOT_FOUND;
	case VIR_ERR_NO_CONNECT:
	case VIR_ERR_INVALID_CONN:
	case VIR_ERR_RPC:
		return ERR_UNAVAILABLE;
	default:
		/* What our end of the connection reports: closed, reset, no answer to keepalive. */
		return error->domain == VIR_FROM_RPC ? ERR_UNAVAILABLE : ERR_HYPERVISOR;
	}
}

int libvirt_error(struct error *err, const char *format, ...)
{
	virErrorPtr error = libvirt.virGetLastError();
	cleanup_free char *what = NULL;
	cleanup_free char *message = NULL;
	va_list args;

	va_start(args, format);
	what = xvasprintf(format, args);
	va_end(args);
	if (!error || error->code == VIR_ERR_OK)
		return error_set(err, ERR_HYPERVISOR, "%s: libvirt gives no reason", what);
	message =
		xstrdup(str_is_empty(error->message) ? "libvirt gives no reason" : error->message);
	/* QEMU's own words end with a newline. */
	for (size_t len = strlen(message); len > 0 && message[len - 1] == '\n'; len--)
		message[len - 1] = '\0';
	return error_set(err, error_code_of(error), "%s: %s", what, message);
}
