/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of `virtx fsck`: one row each in rules.c. A rule looks at the facts and says what it
 * found; where it is safe it can be repaired.
 */
#ifndef FSCK_RULES_H
#define FSCK_RULES_H

#include "facts.h"

enum severity { FSCK_ERROR, FSCK_WARNING, FSCK_INFO };

/* When a repair is safe besides what it checks itself. */
enum repair_when {
	REPAIR_ANY_TIME,
	REPAIR_OLD,     /* while a virtxd runs only what has lain there for ten minutes */
	REPAIR_STOPPED, /* not while a virtxd works for the VM's host */
};

struct finding {
	const struct rule *rule;
	char *subject;             /* a path relative to VMS, or a VM */
	char *text;                /* what is wrong with it */
	char *key;                 /* for the repair: path, or name of a lease; may be NULL */
	char vm[UUID_TEXT_SIZE];   /* whose it is, "" when nobody's: its intent covers it */
	char host[UUID_TEXT_SIZE]; /* whose virtxd would work on it; "" when nobody's */
	time_t changed;            /* REPAIR_OLD */
};

struct findings {
	FACTS_LIST(struct finding);
	const struct rule *rule; /* that is being checked */
};

struct rule {
	const char *word;
	enum severity severity;
	bool detail;         /* shown with --verbose only */
	const char *meaning; /* what is wrong when it is found */
	const char *todo;    /* what a person does */
	void (*check)(const struct facts *facts, struct findings *findings);
	const char *does; /* what the repair does, "remove it"; NULL: there is none */
	int (*repair)(const struct facts *facts, const struct finding *finding, struct error *err);
	enum repair_when when;
};

/* Ends with word NULL. */
extern const struct rule rules[];

/* All of them; what the intent of an operation covers is left out. Sorted by severity and rule. */
void findings_look(const struct facts *facts, struct findings *findings);
void findings_free(struct findings *findings);
bool finding_equal(const struct finding *a, const struct finding *b);

/* For the rules: one more, whose other members are set afterwards. subject is copied. */
struct finding *finding_add(struct findings *findings, const char *subject, const char *vm,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Repairs one: 0 when it is done. -1 also when it would not be safe now: ERR_BUSY, ERR_STATE. The
 * facts are those of a moment ago.
 */
int finding_repair(const struct facts *facts, const struct finding *finding, struct error *err);

typedef void rule_check(const struct facts *facts, struct findings *findings);
typedef int rule_repair(
	const struct facts *facts, const struct finding *finding, struct error *err);

/* rules_register.c */
rule_check check_marker, check_key, check_missing_folder, check_mode, check_bad_entry,
	check_entry_uuid, check_conflict, check_not_defined, check_not_registered,
	check_registered_elsewhere, check_bad_domain, check_entry_differs, check_bad_lockid,
	check_same_lockid, check_no_lockid, check_in_progress, check_interrupted, check_bad_intent,
	check_set_aside, check_register_temporary, check_lost_vm, check_undeleted_vm,
	check_other_hosts;
/* rules_leases.c */
rule_check check_lockspace, check_bad_lease, check_orphan_lease, check_orphan_image,
	check_unused_lease, check_seed_lease, check_no_lease, check_wrong_owner, check_shared_disk,
	check_no_vm_lease, check_lease_temporary;
/* rules_storage.c */
rule_check check_missing_image, check_bad_image, check_same_storage, check_missing_unmanaged,
	check_image_temporary, check_orphan_seed, check_seed_readable, check_seed_defined,
	check_unreferenced;
/* repair.c */
rule_repair repair_mode, repair_entry, repair_lockid, repair_lease, repair_make_lease,
	repair_temporary, repair_lease_temporary, repair_seed;

#endif
