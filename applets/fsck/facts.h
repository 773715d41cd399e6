/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `virtx fsck` has found: the register, the lock folder, the datastore, the domains of this
 * host, the records of its operations. Everything is only read here, and nothing is judged: that is
 * what the rules do. What lies on the storage is hostile: sizes are bounded, links never followed.
 */
#ifndef FSCK_FACTS_H
#define FSCK_FACTS_H

#include "applets/virtxd/settings.h"
#include "base/uuid.h"
#include "storage/store.h"

#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

struct fact_host {
	char uuid[UUID_TEXT_SIZE];
	unsigned lockid;  /* 0: none that can be read */
	char *bad_lockid; /* why it cannot be understood; NULL: it can, or there is none */
	bool served;      /* a virtxd works for it */
};

struct fact_disk {
	char *path;
	char lease[256]; /* name of the lease that it has when it is managed */
	bool managed;
};

/* A VM as one source tells it: an entry of the register, or a domain of this host. */
struct fact_vm {
	char uuid[UUID_TEXT_SIZE]; /* of the entry's file name; of the domain */
	char host[UUID_TEXT_SIZE];
	char holds[UUID_TEXT_SIZE]; /* the UUID in the XML; "" when it cannot be read */
	char *bad;                  /* why it cannot be understood; NULL: it can */
	char *name;                 /* "" while it is unknown */
	char *xml;                  /* domains only */
	struct fact_disk *disks;
	size_t n_disks;
	bool foreign; /* not made by VirtX */
	bool running;
	bool has_seed; /* the stored definition has a seed attached */
};

struct fact_intent {
	char host[UUID_TEXT_SIZE];
	char vm[UUID_TEXT_SIZE];
	const char *op; /* "create" ... */
	char *bad;
	time_t since;
	bool served; /* its host has a virtxd that runs */
};

struct fact_lease {
	char *name;
	char owner[UUID_TEXT_SIZE]; /* "" when it cannot be read */
	char *bad;
	char *image; /* path of the file of the datastore that has this lease; NULL: none */
};

/* Something that lies on the storage. Paths are relative to VMS. */
enum fact_kind {
	FACT_LEASE_TEMPORARY,
	FACT_IMAGE_TEMPORARY,
	FACT_REGISTER_TEMPORARY,
	FACT_SET_ASIDE,
	FACT_SEED,        /* the folder of a VM's seed */
	FACT_MODE,        /* its mode or group is not as it should be */
	FACT_SECRET_MODE, /* the same of a seed */
	FACT_MISSING,     /* a folder that has to be there */
	FACT_STRANGE,     /* what nobody knows */
	FACT_IMAGE,       /* any file of the datastore */
};

struct fact_item {
	enum fact_kind kind;
	char *path;
	char vm[UUID_TEXT_SIZE];   /* "" when it tells none */
	char host[UUID_TEXT_SIZE]; /* whose register directory it lies in */
	mode_t mode, wanted;       /* FACT_MODE, FACT_SECRET_MODE */
	bool group;                /* FACT_MODE: its group should be sanlock */
	time_t changed;
};

/* The last operation on a VM that this host's virtxd has reported as done. */
struct fact_record {
	char vm[UUID_TEXT_SIZE];
	bool deleted; /* it was a delete */
	char *kind;
};

/* FACT_UNKNOWN: a path outside the datastore, of another host's VM; or it cannot be looked at. */
enum fact_image { FACT_UNKNOWN, FACT_THERE, FACT_GONE, FACT_NO_FILE };

/* A disk that a definition names: of all VMs, sorted by lease, VM. */
struct fact_claim {
	const struct fact_vm *vm;
	const struct fact_disk *disk;
	enum fact_image image;  /* what lies at its path */
	uint64_t device, inode; /* where it is there: of a device its number and 0 */
};

#define FACTS_LIST(type)    \
	struct {            \
		type *list; \
		size_t n;   \
	}

struct facts {
	const struct settings *settings;
	struct store *store;
	char host[UUID_TEXT_SIZE]; /* this one */
	char *bad_marker, *bad_key, *bad_lockspace;
	bool domains_seen;
	bool served;     /* a virtxd runs for some host */
	bool own_served; /* for this one */
	bool has_group;
	gid_t group;               /* of sanlock, where leases must have it */
	FACTS_LIST(char *) unseen; /* what could not be looked at, and why */
	FACTS_LIST(struct fact_host) hosts;
	FACTS_LIST(struct fact_vm) entries; /* sorted by UUID, host */
	FACTS_LIST(struct fact_vm) domains; /* sorted by UUID */
	FACTS_LIST(struct fact_intent) intents;
	FACTS_LIST(struct fact_lease) leases; /* sorted by name */
	FACTS_LIST(struct fact_item) items;
	FACTS_LIST(struct fact_record) records;
	FACTS_LIST(struct fact_claim) claims;
	size_t weight; /* bytes of what is remembered, roughly */
	size_t n_images;
	uint64_t image_bytes; /* that they take */
};

/* Makes room for one more; the new one is zeroed. */
#define facts_add(array) facts_grow((void **)&(array)->list, &(array)->n, sizeof(*(array)->list))
void *facts_grow(void **list, size_t *n, size_t size);

/*
 * Looks at everything. With `keep` no virtxd of this host can start until the facts are freed,
 * unless one runs. What cannot be looked at is in `unseen`. -1 when the storage cannot be
 * opened or this host's identity is not known; then it is empty.
 */
int facts_gather(
	struct facts *facts, const struct settings *settings, bool keep, struct error *err);
void facts_free(struct facts *facts);

/* Its parts, one file each. */
void facts_read_register(struct facts *facts);
void facts_read_intents(struct facts *facts);
void facts_read_locks(struct facts *facts);
void facts_read_datastore(struct facts *facts);
void facts_read_domains(struct facts *facts);
void facts_read_records(struct facts *facts);
void facts_look_at_images(struct facts *facts);

/* True when there is more than anybody has: then it is in `unseen`, and reading ends. */
bool facts_are_full(struct facts *facts);
void facts_note_unseen(struct facts *facts, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Fills a VM's definition from its XML; sets bad when it cannot be read. */
void facts_read_xml(struct facts *facts, struct fact_vm *vm, const char *xml);
/* Whether a virtxd works for a host; unknown counts as no. */
bool facts_is_served(const struct facts *facts, const char *host);
struct fact_item *facts_add_item(struct facts *facts, enum fact_kind kind, const char *path);
/* Notes a file or folder whose mode is not `wanted`; path is relative to VMS. */
void facts_check_mode(struct facts *facts, int dir, const char *name, const char *path,
	mode_t wanted, bool of_sanlock);

/* First entry of that UUID, NULL: none; others follow it in the list. */
const struct fact_vm *facts_find_entry(const struct facts *facts, const char *uuid);
const struct fact_vm *facts_find_domain(const struct facts *facts, const char *uuid);
struct fact_lease *facts_find_lease(const struct facts *facts, const char *name);
const struct fact_host *facts_find_host(const struct facts *facts, const char *uuid);
/* An intent that can be read. */
const struct fact_intent *facts_find_intent(const struct facts *facts, const char *vm);
/* Whether anything says that there is such a VM. */
bool facts_has_vm(const struct facts *facts, const char *uuid);
/* "web-01 (UUID)", or the UUID alone; the caller frees it. */
char *facts_name_vm(const struct facts *facts, const char *uuid);

#endif
