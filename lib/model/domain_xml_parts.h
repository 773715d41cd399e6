/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the writer, the reader and the update of domain XML share. Internal to domain_xml_*.c. */
#ifndef MODEL_DOMAIN_XML_PARTS_H
#define MODEL_DOMAIN_XML_PARTS_H

#include "model/domain_xml.h"
#include "model/domain_xml_tree.h"

/* Namespaces of our metadata. Go peers read the first; libvirt allows one element for each. */
#define NS_DATA_VM     "virtx-vm"
#define NS_DEFINITION  "virtx-def"
#define NS_OPLOG_START "virtx-op-"
#define LOCKSPACE      "__VIRTX__DISKS__"

/* A bus as <target>, and the controller's model as <controller>, call it; aliases of our disks have
 * both. */
struct bus_words {
	const char *bus;
	const char *controller; /* "" for other buses than SCSI */
};

extern const struct bus_words domain_bus_words[DISK_BUS_SCSI + 1];
extern const char *const domain_net_models[NETMODEL_E1000 + 1];
/* "disk", "cdrom", "lun" are also what enum_name() gives, but here they belong to libvirt. */
extern const char *const domain_disk_devices[DISK_DEVICE_LUN + 1];
/* The alias letters of provisioning: U, t, T. */
#define ALIAS_PROV "UtT"

/* The whole domain as a tree; the caller frees it. NULL with ERR_INVALID. */
xmlDoc *domain_xml_build(
	const struct vmdef *def, const struct domain_xml_options *options, struct error *err);
/* Adds <devices>. */
void domain_xml_add_devices(
	xmlNode *domain, const struct vmdef *def, const struct domain_xml_options *options);
/* Adds the log's elements to <metadata>. */
void domain_xml_add_oplog(xmlNode *metadata, const struct oplog_entry *oplog);

/* The CPU model that a guest of that kind really gets: TCG has no host CPU to pass through. */
const char *domain_cpu_model(const struct vmdef *def, enum virt_type virt_type);
bool domain_cpu_is_mode(const char *model);

/* What the XML alone says, without the stored definition. -1 with ERR_STORED_DATA. */
int domain_xml_read_tree(
	xmlNode *domain, const char *vms_dir, struct domain_reading *reading, struct error *err);
/*
 * Fills the disks (osdisk first) and the interfaces of def. In a foreign domain the kinds of disk
 * and interface that a definition has no word for are taken for the nearest one, otherwise they are
 * left out.
 */
void domain_xml_read_disks(xmlNode *devices, const char *vms_dir, bool foreign, struct vmdef *def);
void domain_xml_read_nets(xmlNode *devices, bool foreign, struct vmdef *def);
/* True when one of the disks has an alias as we write it. */
bool domain_xml_has_our_alias(xmlNode *devices);
/* True when the definition describes this <disk>: file or block device on a bus we know, not the
 * seed. */
bool domain_xml_disk_is_described(xmlNode *disk, const char *vms_dir);
/* True when the definition describes this <interface>. */
bool domain_xml_net_is_described(xmlNode *interface);
/* True for the cloud-init seed: on SCSI controller 0, below VMS_DIR/ds/ci/. */
bool domain_xml_disk_is_seed(xmlNode *disk, const char *vms_dir);
/* The path in a <disk>, borrowed; NULL when it has none. */
const char *domain_xml_disk_path(xmlNode *disk);
/* Reads the log from <metadata>. */
void domain_xml_read_oplog(xmlNode *metadata, struct oplog_entry *oplog);

/*
 * True when the stored definition says what the XML says, as far as XML can
 * carry it; then what only the XML knows (MACs, genid) is filled in.
 */
bool domain_xml_settle_stored(
	struct vmdef *stored, const struct vmdef *from_xml, enum virt_type virt_type, bool live);

#endif
