/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Migration through libvirt: see migrate.h. */
#include "hypervisor/migrate.h"

#include "base/str.h"
#include "hypervisor/internal.h"
#include "hypervisor/xml.h"

#include <libxml/xpathInternals.h>

#define PARAMS_MAX 3

/* ---- the move ---- */

static virTypedParameter *add_param(
	virTypedParameter *params, int *count, const char *field, int type)
{
	virTypedParameter *param = &params[(*count)++];

	*param = (virTypedParameter){.type = type};
	str_copy(param->field, sizeof(param->field), field);
	return param;
}

/* Those that a domain that is off does not have are for live ones only. */
static int make_params(const struct hypervisor_migration *migration, virTypedParameter *params)
{
	int count = 0;

	if (!migration->live)
		return 0;
	if (migration->data_uri)
		add_param(params, &count, VIR_MIGRATE_PARAM_URI, VIR_TYPED_PARAM_STRING)->value.s =
			(char *)migration->data_uri;
	if (migration->bandwidth_mib > 0)
		add_param(params, &count, VIR_MIGRATE_PARAM_BANDWIDTH, VIR_TYPED_PARAM_ULLONG)
			->value.ul = migration->bandwidth_mib;
	if (migration->connections > 1)
		add_param(
			params, &count, VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, VIR_TYPED_PARAM_INT)
			->value.i = (int)migration->connections;
	return count;
}

static unsigned migration_flags(const struct hypervisor_migration *migration)
{
	unsigned flags = VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_PERSIST_DEST |
			 VIR_MIGRATE_UNDEFINE_SOURCE | VIR_MIGRATE_ABORT_ON_ERROR;

	flags |= migration->live ? VIR_MIGRATE_LIVE | VIR_MIGRATE_AUTO_CONVERGE
				 : VIR_MIGRATE_OFFLINE;
	if (migration->live && migration->connections > 1)
		flags |= VIR_MIGRATE_PARALLEL;
	if (migration->unsafe)
		flags |= VIR_MIGRATE_UNSAFE;
	return flags;
}

int hypervisor_migrate(struct hypervisor *hypervisor, const struct hypervisor_migration *migration,
	struct error *err)
{
	virTypedParameter params[PARAMS_MAX];
	int count = make_params(migration, params);

	if (hypervisor_is_embedded(hypervisor))
		return error_set(err, ERR_UNSUPPORTED,
			"libvirt's embedded driver (standalone mode) cannot migrate");
	cleanup_domain virDomainPtr domain = hypervisor_domain(hypervisor, migration->uuid, err);
	if (!domain)
		return -1;
	if (libvirt.virDomainMigrateToURI3(domain, migration->target_uri, params, (unsigned)count,
		    migration_flags(migration)) == 0)
		return 0;
	libvirt_error(err, "migrating VM %s", migration->uuid);
	/* It may be the other libvirtd, or the way to it, that has failed. */
	if (err->code == ERR_UNAVAILABLE &&
		libvirt.virConnectIsAlive(libvirt.virDomainGetConnect(domain)) == 1)
		err->code = ERR_HYPERVISOR;
	return -1;
}

/* ---- what goes on ---- */

static void read_figures(struct hypervisor_job *job, const virTypedParameter *params, int count)
{
	const struct {
		const char *field;
		uint64_t *value;
	} figures[] = {
		{VIR_DOMAIN_JOB_DATA_TOTAL, &job->total},
		{VIR_DOMAIN_JOB_DATA_PROCESSED, &job->transferred},
		{VIR_DOMAIN_JOB_DATA_REMAINING, &job->remaining},
		{VIR_DOMAIN_JOB_MEMORY_BPS, &job->rate},
		{VIR_DOMAIN_JOB_DOWNTIME, &job->downtime_ms},
		{VIR_DOMAIN_JOB_TIME_ELAPSED, &job->elapsed_ms},
	};

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		*figures[i].value = params_get_count(params, count, figures[i].field);
	switch (params_get_count(params, count, VIR_DOMAIN_JOB_OPERATION)) {
	case VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
		job->kind = HYPERVISOR_JOB_OUTGOING;
		break;
	case VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN:
		job->kind = HYPERVISOR_JOB_INCOMING;
		break;
	default:
		job->kind = HYPERVISOR_JOB_OTHER;
	}
}

/* While a domain comes in, libvirt refuses to tell of its job; its state says what that is. */
static bool is_incoming(virDomainPtr domain)
{
	int state, reason;

	return libvirt.virDomainGetState(domain, &state, &reason, 0) == 0 &&
	       state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_MIGRATION;
}

static int call_job(virDomainPtr domain, struct domain_control *control)
{
	virTypedParameterPtr params = NULL;
	int type = VIR_DOMAIN_JOB_NONE, count = 0;

	if (libvirt.virDomainGetJobStats(domain, &type, &params, &count, control->flags) < 0) {
		const virError *error = libvirt.virGetLastError();

		/* It is off, or it comes in. */
		if (!error || (error->code != VIR_ERR_OPERATION_INVALID &&
				      error->code != VIR_ERR_OPERATION_UNSUPPORTED))
			return -1;
		control->job.kind =
			is_incoming(domain) ? HYPERVISOR_JOB_INCOMING : HYPERVISOR_JOB_NONE;
		return 0;
	}
	if (type != VIR_DOMAIN_JOB_NONE)
		read_figures(&control->job, params, count);
	libvirt.virTypedParamsFree(params, count);
	return 0;
}

static int read_job(struct hypervisor *hypervisor, const char *uuid, unsigned flags,
	struct hypervisor_job *job, struct error *err)
{
	*job = (struct hypervisor_job){0};
	return domain_control(hypervisor, uuid,
		&(struct domain_control){
			.what = "reading the job of",
			.call = call_job,
			.timeout_ms = DOMAIN_ASK_MS,
			.flags = flags,
			.job_answer = job,
		},
		err);
}

int hypervisor_get_job(struct hypervisor *hypervisor, const char *uuid, struct hypervisor_job *job,
	struct error *err)
{
	return read_job(hypervisor, uuid, 0, job, err);
}

int hypervisor_get_ended_job(struct hypervisor *hypervisor, const char *uuid,
	struct hypervisor_job *job, struct error *err)
{
	return read_job(hypervisor, uuid,
		VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED, job, err);
}

static int call_abort(virDomainPtr domain, struct domain_control *control)
{
	if (libvirt.virDomainAbortJob(domain) == 0)
		return 0;
	const virError *error = libvirt.virGetLastError();

	if (error && error->code == VIR_ERR_OPERATION_INVALID)
		error_set(&control->err, ERR_STATE, "VM %s: %s", control->uuid, error->message);
	return -1;
}

int hypervisor_abort_job(struct hypervisor *hypervisor, const char *uuid, struct error *err)
{
	return domain_control(hypervisor, uuid,
		&(struct domain_control){
			.what = "aborting the job of",
			.call = call_abort,
			.timeout_ms = DOMAIN_ASK_MS,
		},
		err);
}

static int call_migratable_xml(virDomainPtr domain, struct domain_control *control)
{
	control->text = libvirt.virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_MIGRATABLE);
	return control->text ? 0 : -1;
}

char *hypervisor_get_migratable_xml(
	struct hypervisor *hypervisor, const char *uuid, struct error *err)
{
	char *xml = NULL;

	domain_control(hypervisor, uuid,
		&(struct domain_control){
			.what = "reading the definition of",
			.call = call_migratable_xml,
			.timeout_ms = DOMAIN_ASK_MS,
			.answer = &xml,
		},
		err);
	return xml;
}

/* ---- its CPU here ---- */

/* What a domain asks for. */
struct wanted_cpu {
	char *arch, *machine, *virt_type;
	char *mode, *model;
	char *xml; /* the element; NULL: none */
};

static void wanted_cpu_free(struct wanted_cpu *wanted)
{
	free(wanted->arch);
	free(wanted->machine);
	free(wanted->virt_type);
	free(wanted->mode);
	free(wanted->model);
	free(wanted->xml);
}

static char *element_text(xmlXPathContextPtr context, const char *expression)
{
	xmlXPathObjectPtr object = xmlXPathEvalExpression((const xmlChar *)expression, context);
	char *text = NULL;

	if (object && object->nodesetval && object->nodesetval->nodeNr > 0) {
		xmlBufferPtr buffer = xmlBufferCreate();

		if (buffer && xmlNodeDump(buffer, context->doc, object->nodesetval->nodeTab[0], 0,
				      0) >= 0)
			text = xstrdup((const char *)xmlBufferContent(buffer));
		xmlBufferFree(buffer);
	}
	xmlXPathFreeObject(object);
	return text;
}

static int read_wanted(const char *domain_xml, struct wanted_cpu *wanted, struct error *err)
{
	cleanup_xpath xmlXPathContextPtr domain = xpath_open(domain_xml, "the definition", err);

	if (!domain)
		return -1;
	wanted->virt_type = xpath_text(domain, "/domain/@type");
	wanted->arch = xpath_text(domain, "/domain/os/type/@arch");
	wanted->machine = xpath_text(domain, "/domain/os/type/@machine");
	wanted->mode = xpath_text(domain, "/domain/cpu/@mode");
	wanted->model = xpath_text(domain, "/domain/cpu/model");
	wanted->xml = element_text(domain, "/domain/cpu");
	return 0;
}

/* The reason is libvirt's: it names the features. */
static int compare_cpu(virConnectPtr connection, const struct wanted_cpu *wanted, struct error *err)
{
	int result = libvirt.virConnectCompareHypervisorCPU(connection, NULL, wanted->arch,
		wanted->machine, wanted->virt_type, wanted->xml,
		VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE);

	if (result >= 0)
		return 0;
	libvirt_error(err, "CPU");
	if (err->code == ERR_HYPERVISOR)
		err->code = ERR_UNSUPPORTED;
	return -1;
}

/* Emulated, a model has the same features wherever QEMU knows it. */
static int find_model(virConnectPtr connection, const struct wanted_cpu *wanted, struct error *err)
{
	cleanup_free char *xml = libvirt.virConnectGetDomainCapabilities(
		connection, NULL, wanted->arch, wanted->machine, wanted->virt_type, 0);
	if (!xml)
		return libvirt_error(err, "reading what guests can have");
	cleanup_xpath xmlXPathContextPtr caps = xpath_open(xml, "domain capabilities", err);
	if (!caps)
		return -1;
	if (xmlXPathRegisterVariable(
		    caps, (const xmlChar *)"model", xmlXPathNewCString(wanted->model)) == 0 &&
		xpath_is_true(caps,
			"boolean(/domainCapabilities/cpu/mode[@name='custom']/model[.=$model])"))
		return 0;
	return error_set(err, ERR_UNSUPPORTED, "CPU: the QEMU here has no model %s", wanted->model);
}

int hypervisor_check_cpu(
	struct hypervisor *hypervisor, const char *domain_xml, bool kvm, struct error *err)
{
	CLEANUP(wanted_cpu_free) struct wanted_cpu wanted = {0};

	if (read_wanted(domain_xml, &wanted, err))
		return -1;
	bool wants_kvm = str_equal(wanted.virt_type, "kvm");
	if (wants_kvm && !kvm)
		return error_set(err, ERR_UNSUPPORTED, "CPU: the guest needs KVM");
	/* Nothing but what the host itself has, whatever that is. */
	if (!wanted.xml || str_is_empty(wanted.model))
		return 0;
	cleanup_connect virConnectPtr connection = hypervisor_connection(hypervisor, err);
	if (!connection)
		return -1;
	return wants_kvm ? compare_cpu(connection, &wanted, err)
			 : find_model(connection, &wanted, err);
}
