/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VM definition to libvirt domain XML and back (spec: domain-xml.md).
 *
 * With the extras off the writer is the pure conversion that tests/golden
 * fixes; the daemon turns on what its host can do. HACKING.md lists the extras.
 */
#ifndef MODEL_DOMAIN_XML_H
#define MODEL_DOMAIN_XML_H

#include "base/error.h"
#include "model/vm.h"

#define DOMAIN_XML_MAX (1024 * 1024) /* bytes we are willing to read */

struct domain_xml_options {
	const char *uuid;
	const char *arch;         /* "x86_64", "aarch64" */
	enum virt_type virt_type; /* KVM or QEMU */
	const char *vms_dir;
	bool full_firmware; /* false: leave out firmware="bios", for hosts without a descriptor */
	bool vdagent;       /* false: leave the channel out, for QEMU that cannot migrate it */
	bool store_definition; /* put the definition itself into the metadata (namespace virtx-def)
				*/
	bool leases; /* false: no <lease> at all (lock manager local: libvirt would refuse them) */
	bool vm_lease; /* the VM's own lease first, and at most 6 in all (7 with the seed) */
	const char *console_log; /* file that the serial console is written to; NULL: none */
	/* Operation log to carry over, OPLOG_COUNT entries; NULL: none. */
	const struct oplog_entry *oplog;
};

/* The options of the pure conversion for a VM: x86_64, kvm, /vms, all that the golden files show.
 */
void domain_xml_options_init(struct domain_xml_options *options, const char *uuid);

/*
 * The XML of a validated definition; the caller frees it. Never fails but for
 * text that XML cannot hold: NULL with ERR_INVALID.
 */
char *domain_xml_write(
	const struct vmdef *def, const struct domain_xml_options *options, struct error *err);

/* What was read from a domain's XML. */
struct domain_reading {
	char uuid[UUID_TEXT_SIZE];
	struct vmdef def;
	bool foreign;       /* VirtX did not make it: def holds what could be understood */
	bool def_is_stored; /* def is the stored definition, which agrees with the XML */
	struct oplog_entry oplog[OPLOG_COUNT];
	char *vnc;         /* "address:port" of a live XML, "" otherwise */
	char *console_log; /* "" when the serial console goes to no file */
	bool vm_lease;     /* it lists the VM's own lease */
};

/*
 * Reads domain XML of len bytes (inactive or live form), hostile or not: no document type, no
 * network, bounded depth and size. The definition is what the domain has, not checked against the
 * rules for definitions: it may hold more devices than they allow (up to 256 of a kind). An
 * attached cloud-init seed is not part of it. -1 with ERR_STORED_DATA when it is not a domain with
 * a UUID; a domain that is merely foreign is a success. On -1 it is empty.
 */
int domain_xml_read(const char *xml, size_t len, const char *vms_dir,
	struct domain_reading *reading, struct error *err);
void domain_reading_free(struct domain_reading *reading);
#define cleanup_reading CLEANUP(domain_reading_free)

/*
 * The validated new definition put into the inactive domain XML that is there, for update: what the
 * definition describes and has changed is replaced; everything else stays (devices that others
 * added, what they set on devices that stay, foreign metadata, the operation log, UUID, and MACs
 * and genid that the definition leaves open). Of the options full_firmware counts only when the
 * firmware changes, vdagent and console_log not at all. The caller frees it; NULL with
 * ERR_STORED_DATA or ERR_INVALID.
 */
char *domain_xml_update(const char *xml, size_t len, const struct vmdef *def,
	const struct domain_xml_options *options, struct error *err);

/*
 * One <data-op> element without its namespace, which libvirt puts in: for virDomainSetMetadata with
 * the key "data-op" and the namespace below. The caller frees it.
 */
char *domain_xml_oplog_element(enum oplog_op op, const struct oplog_entry *entry);
/* "virtx-op-VmBoot": its namespace. */
void domain_xml_oplog_uri(enum oplog_op op, char uri[static 40]);

/*
 * Device XML for the cloud-init seed and its lease (spec: storage-and-locks.md, cloud-init), for
 * attaching. The caller frees each.
 */
char *domain_xml_seed_disk(const char *seed_path);
char *domain_xml_seed_lease(const char *vms_dir, const char *lease_name);

#endif
