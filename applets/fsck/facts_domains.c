/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domains of this host: asked of libvirtd; of the embedded driver, which belongs to the virtxd
 * that runs it and would start things, its files are read.
 */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "facts.h"
#include "hypervisor/hypervisor.h"
#include "model/domain_xml.h"
#include "storage/beneath.h"

#include <fcntl.h>
#include <signal.h>

#define CONNECT_MS 2000
#define COLLECT_MS 5000

static struct fact_vm *add_domain(struct facts *facts, const char *uuid, const char *xml)
{
	struct fact_vm *domain = facts_add(&facts->domains);
	cleanup_free char *seed = xasprintf("/" STORE_DATASTORE "/ci/%s/seed.iso", uuid);

	memcpy(domain->host, facts->host, sizeof(domain->host));
	domain->name = xstrdup("");
	domain->xml = xstrdup(xml);
	facts_read_xml(facts, domain, xml);
	memcpy(domain->uuid, *uuid ? uuid : domain->holds, sizeof(domain->uuid));
	domain->has_seed = *domain->uuid && strstr(xml, seed);
	return domain;
}

static void read_from_libvirt(struct facts *facts, struct hypervisor *hypervisor, struct error *err)
{
	cleanup_free struct domain_stats *list = NULL;
	size_t count = 0;

	if (hypervisor_wait(hypervisor, CONNECT_MS, err) < 0 ||
		hypervisor_collect(hypervisor, COLLECT_MS, &list, &count, err) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct error cause = {0};
		cleanup_free char *xml =
			hypervisor_get_xml(hypervisor, list[i].uuid, false, &cause);

		if (!xml && cause.code == ERR_NOT_FOUND)
			continue; /* gone by now */
		if (!xml) {
			*err = cause;
			return;
		}
		add_domain(facts, list[i].uuid, xml)->running =
			list[i].runstate != RUNSTATE_POWEROFF &&
			list[i].runstate != RUNSTATE_CRASHED;
	}
}

static void ask_libvirt(struct facts *facts, struct error *err)
{
	const struct hypervisor_config config = {.uri = facts->settings->libvirt_uri};

	signal(SIGPIPE, SIG_IGN);
	struct hypervisor *hypervisor = hypervisor_start(&config, err);
	if (!hypervisor)
		return;
	read_from_libvirt(facts, hypervisor, err);
	hypervisor_stop(hypervisor);
}

/* One file of the embedded driver, NAME.xml; our domains are named by their UUIDs. */
static int visit_file(void *context, int dir, const char *name)
{
	struct facts *facts = context;
	struct error err = {0};
	char uuid[UUID_TEXT_SIZE] = "";

	if (!str_ends_with(name, ".xml"))
		return 0;
	cleanup_close int fd = beneath_open_file(dir, name, O_RDONLY, &err);
	cleanup_free char *xml = fd < 0 ? NULL : file_read_fd(fd, name, DOMAIN_XML_MAX, NULL, &err);
	if (!xml && err.code == ERR_NOT_FOUND)
		return 0;
	cleanup_free char *stem = xstrndup(name, strlen(name) - strlen(".xml"));
	(void)uuid_canonical(stem, uuid);
	struct fact_vm *domain = add_domain(facts, uuid, xml ? xml : "");
	if (!xml) {
		free(domain->bad);
		domain->bad = xstrdup(err.message);
	}
	if (!*domain->uuid)
		facts_note_unseen(facts, "libvirt's %s: %s", name, domain->bad);
	return 0;
}

static void read_files(struct facts *facts, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/qemu/etc/qemu", facts->settings->state_dir);
	cleanup_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0) {
		/* The driver makes it when it starts for the first time. */
		beneath_fail(err, "open", path);
		if (err->code == ERR_NOT_FOUND)
			error_clear(err);
		return;
	}
	beneath_each(dir, visit_file, facts, err);
}

void facts_read_domains(struct facts *facts)
{
	const char *uri = facts->settings->libvirt_uri;
	struct error err = {0};

	if (!*uri)
		read_files(facts, &err);
	else if (str_starts_with(uri, "qemu:///embed"))
		error_set(&err, ERR_UNSUPPORTED, "%s is opened by its own virtxd only", uri);
	else
		ask_libvirt(facts, &err);
	facts->domains_seen = !error_is_set(&err);
	if (!facts->domains_seen)
		facts_note_unseen(facts, "the VMs that libvirt has here: %s", err.message);
}
