/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of rules, and going through it. */
#include "rules.h"

#include "base/mem.h"
#include "base/str.h"

/* clang-format off */
const struct rule rules[] = {
	{.word = "marker", .severity = FSCK_ERROR, .check = check_marker,
	 .meaning = "the marker .virtx-cluster, which says that this is a cluster's storage, is missing or bad",
	 .todo = "is the right storage mounted? where a register is, virtxd makes a missing one at its start"},
	{.word = "cluster-key", .severity = FSCK_ERROR, .check = check_key,
	 .meaning = "the secret of the cluster's hosts cannot be read, or others can read it",
	 .todo = "if nobody has read it, chmod 600 it; else remove it and restart every host's virtxd"},
	{.word = "missing-folder", .severity = FSCK_ERROR, .check = check_missing_folder,
	 .meaning = "the folder of images or of the register is missing",
	 .todo = "is the right storage mounted? virtxd makes an empty one at its start"},
	{.word = "bad-entry", .severity = FSCK_ERROR, .check = check_bad_entry,
	 .meaning = "a register entry cannot be read: no domain XML, too large, not a file",
	 .todo = "virtx register vm writes it anew where libvirt knows the VM; else put it back from a backup",
	 .does = "write it anew from libvirt's definition", .repair = repair_entry, .when = REPAIR_STOPPED},
	{.word = "entry-uuid", .severity = FSCK_ERROR, .check = check_entry_uuid,
	 .meaning = "a register entry holds another VM than its name says",
	 .todo = "virtx register vm writes it anew where libvirt knows the VM; else remove it",
	 .does = "write it anew from libvirt's definition", .repair = repair_entry, .when = REPAIR_STOPPED},
	{.word = "conflict", .severity = FSCK_ERROR, .check = check_conflict,
	 .meaning = "a VM is in the register of two hosts, and is neither started nor changed",
	 .todo = "find out where it is defined (virsh list --all on both) and remove the entry of the other host"},
	{.word = "not-defined", .severity = FSCK_ERROR, .check = check_not_defined,
	 .meaning = "a VM is in this host's register and libvirt does not know it",
	 .todo = "virtx register vm UUID defines it again"},
	{.word = "not-registered", .severity = FSCK_ERROR, .check = check_not_registered,
	 .meaning = "libvirt knows a VM of VirtX that is in no register",
	 .todo = "virtx register vm UUID writes its entry",
	 .does = "write its entry from libvirt's definition", .repair = repair_entry, .when = REPAIR_STOPPED},
	{.word = "registered-elsewhere", .severity = FSCK_ERROR, .check = check_registered_elsewhere,
	 .meaning = "libvirt knows a VM here that is in the register of another host only",
	 .todo = "if it is defined there too, undefine it here (virsh undefine UUID); it must not run twice"},
	{.word = "bad-domain", .severity = FSCK_ERROR, .check = check_bad_domain,
	 .meaning = "libvirt's definition of a VM cannot be understood",
	 .todo = "remove libvirt's file and restart virtxd; virtx register vm UUID then defines the VM from the register"},
	{.word = "entry-differs", .severity = FSCK_ERROR, .check = check_entry_differs,
	 .meaning = "register and libvirt do not agree on the disks of a VM",
	 .todo = "what libvirt has is what runs: virtx register vm UUID writes the entry anew",
	 .does = "write the entry anew from libvirt's definition", .repair = repair_entry, .when = REPAIR_STOPPED},
	{.word = "lost-vm", .severity = FSCK_ERROR, .check = check_lost_vm,
	 .meaning = "virtxd has reported a change of a VM as done, and the VM is nowhere",
	 .todo = "look for its images and leases below; put its register entry back from a backup"},
	{.word = "undeleted-vm", .severity = FSCK_ERROR, .check = check_undeleted_vm,
	 .meaning = "virtxd has reported a VM as deleted, and it is there",
	 .todo = "delete it again"},
	{.word = "lockspace", .severity = FSCK_ERROR, .check = check_lockspace,
	 .meaning = "the lockspace of sanlock is missing or bad, so no lease can be taken",
	 .todo = "with all hosts out of it: sanlock direct init -s __VIRTX__DISKS__:0:FILE:0; where lock/ is missing virtxd makes it"},
	{.word = "bad-lockid", .severity = FSCK_ERROR, .check = check_bad_lockid,
	 .meaning = "the number of a host in the lockspace cannot be read",
	 .todo = "virtxd puts the file aside at its start and takes another number",
	 .does = "remove it, so that virtxd takes a number again", .repair = repair_lockid, .when = REPAIR_STOPPED},
	{.word = "same-lockid", .severity = FSCK_ERROR, .check = check_same_lockid,
	 .meaning = "two hosts have the same number in the lockspace, so only one of them can join",
	 .todo = "stop the host that sanlock does not know by it (sanlock client status) and remove its lockid"},
	{.word = "bad-lease", .severity = FSCK_ERROR, .check = check_bad_lease,
	 .meaning = "a lease cannot be read, so its disk cannot be used",
	 .todo = "if its VM is off everywhere, remove this folder of lock/; --repair then makes the lease anew"},
	{.word = "orphan-lease", .severity = FSCK_ERROR, .check = check_orphan_lease,
	 .meaning = "a lease belongs to a VM that does not exist",
	 .todo = "it can go", .does = "remove the lease", .repair = repair_lease},
	{.word = "orphan-image", .severity = FSCK_ERROR, .check = check_orphan_image,
	 .meaning = "an image was a disk of a VM that does not exist",
	 .todo = "remove the image if nobody needs it; without its lease any VM can have it",
	 .does = "give the image free: remove the lease, leave the image", .repair = repair_lease},
	{.word = "unused-lease", .severity = FSCK_ERROR, .check = check_unused_lease,
	 .meaning = "a lease belongs to a VM that has no managed disk of that name",
	 .todo = "it can go", .does = "remove the lease", .repair = repair_lease},
	{.word = "no-lease", .severity = FSCK_ERROR, .check = check_no_lease,
	 .meaning = "a managed disk has no lease, so other VMs could take it",
	 .todo = "with its virtxd stopped --repair makes it",
	 .does = "make the lease", .repair = repair_make_lease, .when = REPAIR_STOPPED},
	{.word = "wrong-owner", .severity = FSCK_ERROR, .check = check_wrong_owner,
	 .meaning = "the lease of a managed disk belongs to another VM",
	 .todo = "one of the two is wrong: give the disk up in the definition of the VM it does not belong to"},
	{.word = "shared-disk", .severity = FSCK_ERROR, .check = check_shared_disk,
	 .meaning = "two VMs have the same managed disk",
	 .todo = "give it up in one of the definitions, with virtx update vm and without deleting storage"},
	{.word = "same-storage", .severity = FSCK_ERROR, .check = check_same_storage,
	 .meaning = "two managed disks are one file or device under two names, each with a lease",
	 .todo = "give one of the two up in its definition, with virtx update vm and without deleting storage"},
	{.word = "missing-image", .severity = FSCK_ERROR, .check = check_missing_image,
	 .meaning = "the image of a managed disk is missing",
	 .todo = "put it back from a backup, or take the disk out of the definition"},
	{.word = "bad-image", .severity = FSCK_ERROR, .check = check_bad_image,
	 .meaning = "a disk's path below the datastore is a link, a device or a folder, and is refused",
	 .todo = "put the image itself there"},
	{.word = "orphan-seed", .severity = FSCK_ERROR, .check = check_orphan_seed,
	 .meaning = "a cloud-init seed, which may hold secrets, is left of a VM that does not exist",
	 .todo = "it can go", .does = "remove it", .repair = repair_seed},
	{.word = "seed-readable", .severity = FSCK_ERROR, .check = check_seed_readable,
	 .meaning = "a cloud-init seed, which may hold secrets, can be read by others",
	 .todo = "change its mode, and the secrets in it", .does = "set its mode", .repair = repair_mode},
	{.word = "seed-defined", .severity = FSCK_WARNING, .check = check_seed_defined,
	 .meaning = "the stored definition of a VM has a seed attached, so it cannot boot with another one",
	 .todo = "detach it: virsh detach-disk UUID sda --config"},
	{.word = "missing-unmanaged", .severity = FSCK_WARNING, .check = check_missing_unmanaged,
	 .meaning = "an unmanaged image is missing, so its VM does not boot",
	 .todo = "put it back, or take it out of the definition"},
	{.word = "mode", .severity = FSCK_WARNING, .check = check_mode,
	 .meaning = "the mode or group of a folder or file is not what all hosts need",
	 .todo = "set it", .does = "set it", .repair = repair_mode},
	{.word = "seed-lease", .severity = FSCK_WARNING, .check = check_seed_lease,
	 .meaning = "the lease of a seed is left although its VM is off",
	 .todo = "virtxd removes it while it runs", .does = "remove it", .repair = repair_lease, .when = REPAIR_STOPPED},
	{.word = "lease-temporary", .severity = FSCK_WARNING, .check = check_lease_temporary,
	 .meaning = "a temporary folder of the making of a lease or lockspace is left",
	 .todo = "it can go", .does = "remove it", .repair = repair_lease_temporary, .when = REPAIR_OLD},
	{.word = "image-temporary", .severity = FSCK_WARNING, .check = check_image_temporary,
	 .meaning = "a temporary file of the making of an image or seed is left",
	 .todo = "it can go", .does = "remove it", .repair = repair_temporary, .when = REPAIR_OLD},
	{.word = "register-temporary", .severity = FSCK_WARNING, .check = check_register_temporary,
	 .meaning = "a temporary file of the register is left",
	 .todo = "virtxd removes it at its start", .does = "remove it", .repair = repair_temporary, .when = REPAIR_OLD},
	{.word = "interrupted", .severity = FSCK_WARNING, .check = check_interrupted,
	 .meaning = "an operation was cut, and no virtxd of its host runs that could settle it",
	 .todo = "start virtxd on that host"},
	{.word = "bad-intent", .severity = FSCK_WARNING, .check = check_bad_intent,
	 .meaning = "what an interrupted operation was about to do cannot be read",
	 .todo = "virtxd puts it aside at its start; what that operation left is found by the other rules then"},
	{.word = "set-aside", .severity = FSCK_WARNING, .check = check_set_aside,
	 .meaning = "something that could not be understood was put aside",
	 .todo = "look at it, then remove it"},
	{.word = "in-progress", .severity = FSCK_INFO, .check = check_in_progress,
	 .meaning = "an operation goes on, or waits to be settled by the virtxd that runs"},
	{.word = "other-hosts", .severity = FSCK_INFO, .check = check_other_hosts,
	 .meaning = "what other hosts have is known from the register alone"},
	{.word = "no-vm-lease", .severity = FSCK_INFO, .detail = true, .check = check_no_vm_lease,
	 .meaning = "a VM has no lease of its own: another implementation made it; its next boot makes one"},
	{.word = "no-lockid", .severity = FSCK_INFO, .detail = true, .check = check_no_lockid,
	 .meaning = "a host has not noted its number in the lockspace"},
	{.word = "unreferenced", .severity = FSCK_INFO, .detail = true, .check = check_unreferenced,
	 .meaning = "a file of the datastore that no VM has"},
	{0},
};
/* clang-format on */

struct finding *finding_add(
	struct findings *findings, const char *subject, const char *vm, const char *format, ...)
{
	struct finding *finding =
		facts_grow((void **)&findings->list, &findings->n, sizeof(*findings->list));
	va_list args;

	va_start(args, format);
	finding->text = xvasprintf(format, args);
	va_end(args);
	finding->rule = findings->rule;
	finding->subject = xstrdup(subject);
	(void)str_copy(finding->vm, sizeof(finding->vm), vm ? vm : "");
	return finding;
}

static void free_finding(struct finding *finding)
{
	free(finding->subject);
	free(finding->text);
	free(finding->key);
}

/* What an operation is in the middle of is not damage. */
static bool is_covered(const struct facts *facts, const struct finding *finding)
{
	return finding->rule->severity != FSCK_INFO && *finding->vm &&
	       finding->rule->check != check_interrupted &&
	       finding->rule->check != check_bad_intent && facts_find_intent(facts, finding->vm);
}

static int compare_findings(const void *a, const void *b)
{
	const struct finding *left = a, *right = b;

	if (left->rule->severity != right->rule->severity)
		return left->rule->severity < right->rule->severity ? -1 : 1;
	if (left->rule != right->rule)
		return left->rule < right->rule ? -1 : 1;
	return strcmp(left->subject, right->subject);
}

void findings_look(const struct facts *facts, struct findings *findings)
{
	size_t kept = 0;

	*findings = (struct findings){0};
	for (const struct rule *rule = rules; rule->word; rule++) {
		findings->rule = rule;
		rule->check(facts, findings);
	}
	for (size_t i = 0; i < findings->n; i++) {
		if (is_covered(facts, &findings->list[i]))
			free_finding(&findings->list[i]);
		else
			findings->list[kept++] = findings->list[i];
	}
	findings->n = kept;
	if (kept)
		qsort(findings->list, kept, sizeof(*findings->list), compare_findings);
}

void findings_free(struct findings *findings)
{
	for (size_t i = 0; i < findings->n; i++)
		free_finding(&findings->list[i]);
	free(findings->list);
	*findings = (struct findings){0};
}

bool finding_equal(const struct finding *a, const struct finding *b)
{
	return a->rule == b->rule && str_equal(a->subject, b->subject) && str_equal(a->vm, b->vm) &&
	       str_equal(a->text, b->text);
}
