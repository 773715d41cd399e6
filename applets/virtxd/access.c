/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host: a listen address, localhost, the name of a host of the cluster, allowed_hosts, or empty
 * (":8080", as Go clients send it), each with or without a port. Origin: none, or the scheme and
 * Host of the request.
 */
#include "access.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <strings.h>

#define MAX_HOST 256

struct access {
	char *const *listen;
	const char *host_name;
	struct inventory *inventory;
	pthread_rwlock_t lock; /* of allowed */
	char **allowed;
};

static void names_free(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}

static char **names_copy(char *const *names)
{
	size_t count = 0;

	while (names[count])
		count++;
	char **copy = xcalloc(count + 1, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = xstrdup(names[i]);
	return copy;
}

struct access *access_new(char *const *listen, const char *host_name, struct inventory *inventory)
{
	struct access *access = xcalloc(1, sizeof(*access));

	access->listen = listen;
	access->host_name = host_name;
	access->inventory = inventory;
	pthread_rwlock_init(&access->lock, NULL);
	access->allowed = names_copy((char *const[]){NULL});
	return access;
}

void access_free(struct access *access)
{
	if (!access)
		return;
	names_free(access->allowed);
	pthread_rwlock_destroy(&access->lock);
	free(access);
}

void access_set_allowed(struct access *access, char *const *names)
{
	char **copy = names_copy(names);

	pthread_rwlock_wrlock(&access->lock);
	char **old = access->allowed;
	access->allowed = copy;
	pthread_rwlock_unlock(&access->lock);
	names_free(old);
}

/* Takes "name", "name:port", "[v6]:port", ":port" apart: the name without brackets. False when it
 * is none of them. */
static bool split_host(const char *text, char name[static MAX_HOST])
{
	bool brackets = *text == '[';
	const char *start = text + brackets;
	const char *end = start + strcspn(start, brackets ? "]" : ":");
	const char *port = brackets && *end ? end + 1 : end;
	int64_t number;

	if ((brackets && *end != ']') || end - start >= MAX_HOST)
		return false;
	if (*port && (*port != ':' || !str_parse_int(port + 1, 1, 65535, &number)))
		return false;
	memcpy(name, start, (size_t)(end - start));
	name[end - start] = '\0';
	return true;
}

static bool is_ip_address(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/*
 * One of the addresses we listen on. Where that is every address of the machine, any that is
 * written in numbers: nobody can make a foreign name resolve to such a Host.
 */
static bool is_listened_on(const struct access *access, const char *name)
{
	for (char *const *listen = access->listen; *listen; listen++) {
		char address[MAX_HOST];
		/* Not split_host: port 0 is good here. */
		const char *colon = strrchr(*listen, ':');
		size_t len = colon ? (size_t)(colon - *listen) : strlen(*listen);

		if (len >= MAX_HOST)
			continue;
		memcpy(address, *listen, len);
		address[len] = '\0';
		char *plain = address;
		if (*plain == '[' && plain[len - 1] == ']') {
			plain[len - 1] = '\0';
			plain++;
		}
		if (strcasecmp(plain, name) == 0)
			return true;
		if ((!*plain || str_equal(plain, "0.0.0.0") || str_equal(plain, "::")) &&
			is_ip_address(name))
			return true;
	}
	return false;
}

static bool is_allowed_name(struct access *access, const char *name)
{
	bool found = false;

	pthread_rwlock_rdlock(&access->lock);
	for (char **allowed = access->allowed; *allowed && !found; allowed++)
		found = strcasecmp(*allowed, name) == 0;
	pthread_rwlock_unlock(&access->lock);
	return found;
}

static bool is_host_of_cluster(struct access *access, const char *name)
{
	char uuid[UUID_TEXT_SIZE];
	struct error err = {0};

	return inventory_find_host(access->inventory, name, uuid, &err) == 0 ||
	       err.code == ERR_AMBIGUOUS;
}

static bool is_own(struct access *access, const char *host)
{
	char name[MAX_HOST];

	if (!split_host(host, name))
		return false;
	return !*name || strcasecmp(name, "localhost") == 0 ||
	       strcasecmp(name, access->host_name) == 0 || is_listened_on(access, name) ||
	       is_allowed_name(access, name) || is_host_of_cluster(access, name);
}

static int check_origins(const struct http_request *request, struct error *err)
{
	cleanup_free char *own = xasprintf("http://%s", request->host);

	for (size_t i = 0; i < request->n_headers; i++) {
		const struct http_header *header = &request->headers[i];

		if (strcasecmp(header->name, "Origin") == 0 && strcasecmp(header->value, own) != 0)
			return error_set(err, ERR_FORBIDDEN,
				"requests from pages of %.100s are not served here", header->value);
	}
	return 0;
}

int access_check(struct access *access, const struct http_request *request, struct error *err)
{
	if (!is_own(access, request->host)) {
		error_set(
			err, ERR_FORBIDDEN, "\"%.100s\" is not a name of this host", request->host);
		return error_hint(err, "allowed_hosts in the configuration adds names");
	}
	return check_origins(request, err);
}
