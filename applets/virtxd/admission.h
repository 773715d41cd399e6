/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a VM of another host may come here by migration: asked by that host before it begins, and
 * judged here, with all that only this host can see. POST /hosts/{id}/admission, for hosts only.
 */
#ifndef VIRTXD_ADMISSION_H
#define VIRTXD_ADMISSION_H

#include "daemon.h"

#include <json-c/json_object.h>

#define ADMISSION_HOLD_MS 60000

/* What is asked; strings are borrowed. */
struct admission_question {
	const char *vm; /* UUID */
	bool live;      /* it runs, or is paused; false: it is off */
	/* Keep its memory and its MACs free for it until it has come, or for a minute; asking again
	 * replaces what was held. False for a question that nothing follows. */
	bool hold;
	const char *xml; /* hypervisor_get_migratable_xml() */
};

struct admission_answer {
	struct error refusal; /* empty: it may come */
	int64_t memory_mib;   /* that VMs may still take there, before this one; may be negative */
	int64_t cpu_mhz;      /* the same */
	unsigned vms;         /* that the host has */
};

/*
 * Asks another host, which has proven itself: 0 with its answer. The refusal has code, words and
 * hint of that host, which do not name it. -1 when it cannot be asked or its answer cannot be
 * understood: ERR_UNAVAILABLE, ERR_FORWARD ...; ERR_NOT_FOUND: it does not know the question.
 */
int admission_ask(struct daemon *daemon, const char *host_uuid,
	const struct admission_question *question, struct admission_answer *answer,
	struct error *err);

/* ---- the host that is asked ---- */

/* What is held for VMs that are to come. */
struct admissions;
struct admissions *admissions_new(struct daemon *daemon);
/* NULL is fine. */
void admissions_free(struct admissions *admissions);
/* Every few seconds: gives back what is held for those that have come, or have not in time. Asks
 * libvirt. */
void admissions_tick(struct admissions *admissions);

/* Judges a VM of the host `from`. The question is that host's: checked here. */
void admission_judge(struct daemon *daemon, const char *from,
	const struct admission_question *question, struct admission_answer *answer);

/* ---- on the wire ---- */

/* The caller puts it. */
struct json_object *admission_question_to_json(const struct admission_question *question);
/* ERR_INVALID for what is no question; its strings are the JSON's. */
int admission_question_from_json(
	struct json_object *json, struct admission_question *question, struct error *err);
struct json_object *admission_answer_to_json(const struct admission_answer *answer);
int admission_answer_from_json(
	struct json_object *json, struct admission_answer *answer, struct error *err);

#endif
