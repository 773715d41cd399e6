/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libsanlock's calls with a deadline: see sanlock_private.h. */
#include "base/deadline.h"
#include "base/mem.h"
#include "storage/sanlock_private.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MS  5000  /* what sanlock knows */
#define STORAGE_MS 20000 /* what it reads or writes: a few sectors */

/* One call: what it asks, and what came of it. */
struct question {
	int (*ask)(struct question *question);
	union resource resource;
	struct sanlk_lockspace space;
	unsigned io_timeout;
	int connection;
	int result;
	void *list; /* malloc'd by libsanlock */
	int count;
	uint8_t lvb[LEASE_SECTOR];
};

/* Calls that were left behind and have not returned: there is no use in making more of them. */
static atomic_int hanging;

static void question_run(void *argument)
{
	struct question *question = argument;

	question->result = question->ask(question);
}

static void question_discard(void *argument)
{
	struct question *question = argument;

	free(question->list);
	free(question);
	atomic_fetch_sub(&hanging, 1);
}

/* The answer is in *question, which the thread must not know: it has a copy. */
static int put(struct question *question, unsigned timeout_ms)
{
	if (atomic_load(&hanging) > 0)
		return -ETIMEDOUT;
	struct question *copy = xmemdup(question, sizeof(*question));
	if (!deadline_run(question_run, question_discard, copy, timeout_ms)) {
		atomic_fetch_add(&hanging, 1);
		return -ETIMEDOUT;
	}
	*question = *copy;
	free(copy);
	return question->result;
}

/* The same where the answer is a list. */
static int put_for_list(struct question *question, unsigned timeout_ms, void **list, int *count)
{
	int result = put(question, timeout_ms);

	*list = question->list;
	*count = question->count;
	return result;
}

static int ask_version(struct question *question)
{
	uint32_t version, protocol;

	(void)question;
	return sanlock_version(0, &version, &protocol);
}

int arbiter_version(void)
{
	return put(&(struct question){.ask = ask_version}, MEMORY_MS);
}

static int ask_lockspaces(struct question *question)
{
	return sanlock_get_lockspaces(
		(struct sanlk_lockspace **)&question->list, &question->count, 0);
}

int arbiter_get_lockspaces(struct sanlk_lockspace **spaces, int *count)
{
	return put_for_list(
		&(struct question){.ask = ask_lockspaces}, MEMORY_MS, (void **)spaces, count);
}

static int ask_hosts(struct question *question)
{
	return sanlock_get_hosts(
		LEASE_LOCKSPACE, 0, (struct sanlk_host **)&question->list, &question->count, 0);
}

int arbiter_get_hosts(struct sanlk_host **hosts, int *count)
{
	return put_for_list(&(struct question){.ask = ask_hosts}, MEMORY_MS, (void **)hosts, count);
}

static int ask_write_lockspace(struct question *question)
{
	return sanlock_write_lockspace(&question->space, 0, 0, question->io_timeout);
}

int arbiter_write_lockspace(const struct sanlk_lockspace *space, unsigned io_timeout)
{
	return put(
		&(struct question){
			.ask = ask_write_lockspace, .space = *space, .io_timeout = io_timeout},
		STORAGE_MS);
}

static int ask_write_resource(struct question *question)
{
	return sanlock_write_resource(&question->resource.resource, 0, 0, 0);
}

int arbiter_write_resource(const union resource *resource)
{
	return put(
		&(struct question){.ask = ask_write_resource, .resource = *resource}, STORAGE_MS);
}

static int ask_owners(struct question *question)
{
	return sanlock_read_resource_owners(&question->resource.resource, 0,
		(struct sanlk_host **)&question->list, &question->count);
}

int arbiter_read_owners(const union resource *resource, struct sanlk_host **owners, int *count)
{
	return put_for_list(&(struct question){.ask = ask_owners, .resource = *resource},
		STORAGE_MS, (void **)owners, count);
}

static int ask_register(struct question *question)
{
	(void)question;
	return sanlock_register();
}

int arbiter_register(void)
{
	return put(&(struct question){.ask = ask_register}, MEMORY_MS);
}

static int ask_acquire(struct question *question)
{
	struct sanlk_resource *list[] = {&question->resource.resource};

	return sanlock_acquire(question->connection, -1,
		SANLK_ACQUIRE_LVB | SANLK_ACQUIRE_OWNER_NOWAIT, 1, list, NULL);
}

int arbiter_acquire(int connection, const union resource *resource)
{
	return put(
		&(struct question){
			.ask = ask_acquire, .connection = connection, .resource = *resource},
		STORAGE_MS);
}

static int ask_lvb(struct question *question)
{
	return sanlock_get_lvb(
		0, &question->resource.resource, (char *)question->lvb, sizeof(question->lvb));
}

int arbiter_get_lvb(const union resource *resource, uint8_t lvb[static LEASE_SECTOR])
{
	struct question question = {.ask = ask_lvb, .resource = *resource};
	int result = put(&question, MEMORY_MS);

	memcpy(lvb, question.lvb, sizeof(question.lvb));
	return result;
}
