/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The definition of a VM: what a user asks for (spec: rest-api.md, Vmdef) and
 * the rules it must keep. Strings are UTF-8, never NULL once read ("" is unset);
 * a struct vmdef owns all it points to; vmdef_free() of a zeroed one is fine.
 */
#ifndef MODEL_VMDEF_H
#define MODEL_VMDEF_H

#include "base/error.h"
#include "base/mem.h"
#include "model/enums.h"

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMDEF_MAX_DISKS 20 /* besides the osdisk */
#define VMDEF_MAX_NETS  8
#define VMDEF_MAX_NAME  32 /* bytes */
#define VMDEF_MAX_VCPUS 32767
/* Ours, so that the XML of every definition stays far below DOMAIN_XML_MAX. */
#define VMDEF_MAX_CUSTOM 256
#define VMDEF_MAX_PATH   1023 /* bytes of a disk's path */
#define VMDEF_MAX_TEXT   255  /* bytes of any other string */

struct cpudef {
	char *model;
	int16_t nodes, sockets, cores, threads;
};

struct disk {
	char *path;
	enum disk_device device;
	enum disk_bus bus;
	enum disk_man man;
	enum disk_prov prov;
	int32_t size_mib;
};

struct net {
	char *name; /* of the libvirt network or the bridge */
	enum nettype type;
	enum netmodel model;
	char *mac;
};

struct custom {
	char *name;
	char *value;
};

struct vmdef {
	char *name;
	struct cpudef cpu;
	int32_t memory_mib;
	bool hugepages;
	bool numa_placement;
	struct disk *disks; /* [0] is the osdisk, always there once read; then the others */
	size_t n_disks;     /* with the osdisk: 1 to VMDEF_MAX_DISKS + 1 */
	struct net *nets;
	size_t n_nets;
	int16_t vlanid;
	enum firmware firmware;
	char *genid; /* "", "auto" or a UUID */
	struct custom *custom;
	size_t n_custom;
};

/* What the definition is judged against. */
struct vmdef_rules {
	const char *vms_dir; /* "/vms" or what the configuration put in its place */
	/* Names outside /dev/disk/by-id/ that luns may have: glob patterns, NULL-terminated; may be
	 * NULL. */
	const char *const *lun_allow;
	/*
	 * The definition in force when this one updates it: its disks are there already and need
	 * nothing that only the making of an image needs (Go peers report their size as 0).
	 * NULL: every disk is new.
	 */
	const struct vmdef *existing;
};

/*
 * Reads JSON into *def (zeroed by the callee). Unknown members are ignored,
 * missing and null ones take their zero value, lists may be null. -1 with ERR_INVALID and the
 * member's path ("disks[2].bus: ...") for a wrong type, a number out of
 * its width, an enum value that is not listed, a string with NUL, bad UTF-8. On -1 *def is empty.
 */
int vmdef_from_json(struct json_object *json, struct vmdef *def, struct error *err);

/* All members, in the order of the spec. The caller puts the object. */
struct json_object *vmdef_to_json(const struct vmdef *def);

/* The members of one part, for objects that embed it. custom may be NULL: both members are "". */
void cpudef_to_json(const struct cpudef *cpu, struct json_object *json);
void custom_to_json(const struct custom *custom, struct json_object *json);

/*
 * Makes it canonical: relative disk paths go below the datastore, custom fields
 * without a name are dropped, mac and genid in lower case. Then checks every rule of the spec; the
 * first broken one is ERR_INVALID with the member and the reason. Purely
 * textual: nothing on disk is looked at.
 */
int vmdef_validate(struct vmdef *def, const struct vmdef_rules *rules, struct error *err);

/* sockets x cores x threads, within 0 and VMDEF_MAX_VCPUS for definitions that no rule has checked.
 */
int vmdef_vcpus(const struct vmdef *def);

/* The disk with that path, NULL when there is none. */
const struct disk *vmdef_find_disk(const struct vmdef *def, const char *path);

/* Chooses a MAC (52:54:00:...) for every interface that has none. */
void vmdef_choose_macs(struct vmdef *def);

/* Member by member; NULL strings equal "". */
bool vmdef_equal(const struct vmdef *a, const struct vmdef *b);

/* A deep copy into *to, which is overwritten unread. */
void vmdef_copy(struct vmdef *to, const struct vmdef *from);
struct custom *custom_list_copy(const struct custom *list, size_t count);
/* Free what it owns and leave it zeroed; the list's own memory too. */
void vmdef_free(struct vmdef *def);
void disk_free(struct disk *disk);
void custom_list_free(struct custom *list, size_t count);

#define cleanup_vmdef CLEANUP(vmdef_free)

/*
 * The name of a disk's lease resource (spec: storage-and-locks.md, Resource names):
 * MD5 of the path below VMS_DIR/ds/, or the LUN's serial part. NAME_MAX bounds it.
 */
void disk_lease_name(const struct disk *disk, const char *vms_dir, char name[static 256]);
/* The name of a VM's own lease: "vm-UUID". */
void vm_lease_name(const char *uuid, char name[static 256]);

#endif
