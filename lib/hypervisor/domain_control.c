/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of a domain that is running or to run. A stopped (SIGSTOP) or hung QEMU keeps such
 * a call waiting for as long as it hangs, and what comes after it for the 30 s that libvirt waits
 * for a domain's job. So each is made in a thread that can be left behind.
 */
#include "base/deadline.h"
#include "hypervisor/internal.h"

#include "base/str.h"

#define SHOW_MS        900   /* a reader waits */
#define CPUS_MS        20000 /* the lock manager releases or takes leases */
#define DESTROY_MS     60000 /* libvirt gives QEMU 10 s after SIGTERM, more with host devices */
#define METADATA_MS    1500  /* informs, no more */
#define START_ATTEMPTS 3
#define START_MS       120000 /* QEMU may have much memory to prepare; the lock manager may hang */

static void control_free(void *argument)
{
	struct domain_control *control = argument;

	hypervisor_unref(control->hypervisor);
	free(control->key);
	free(control->uri);
	free(control->xml);
	free(control->text);
	free(control);
}

static void control_run(void *argument)
{
	struct domain_control *control = argument;
	cleanup_domain virDomainPtr domain =
		hypervisor_domain(control->hypervisor, control->uuid, &control->err);

	if (domain && control->call(domain, control) < 0)
		libvirt_error(&control->err, "%s VM %s", control->what, control->uuid);
}

int domain_control(struct hypervisor *hypervisor, const char *uuid,
	const struct domain_control *wanted, struct error *err)
{
	struct domain_control *control = xmemdup(wanted, sizeof(*wanted));

	control->hypervisor = hypervisor_ref(hypervisor);
	str_copy(control->uuid, sizeof(control->uuid), uuid);
	if (!deadline_run(control_run, control_free, control, wanted->timeout_ms)) {
		error_set(err, wanted->silence ? wanted->silence : ERR_HYPERVISOR,
			"%s VM %s: no answer within %u ms", wanted->what, uuid, wanted->timeout_ms);
		return error_hint(err, "%s",
			wanted->hint
				? wanted->hint
				: "its QEMU process may hang; a shutdown with force 2 ends it");
	}
	int result = 0;

	if (error_is_set(&control->err)) {
		*err = control->err;
		result = -1;
	} else if (wanted->answer) {
		*wanted->answer = steal(&control->text);
	} else if (wanted->job_answer) {
		*wanted->job_answer = control->job;
	}
	control_free(control);
	return result;
}

static int call_xml(virDomainPtr domain, struct domain_control *control)
{
	control->text = libvirt.virDomainGetXMLDesc(domain, control->flags);
	return control->text ? 0 : -1;
}

static char *read_xml(struct hypervisor *hypervisor, const char *uuid, bool live,
	unsigned timeout_ms, struct error *err)
{
	char *xml = NULL;

	domain_control(hypervisor, uuid,
		&(struct domain_control){
			.what = "reading the definition of",
			.hint = "libvirt is starting it, or hangs",
			.call = call_xml,
			.timeout_ms = timeout_ms,
			.flags = live ? 0 : VIR_DOMAIN_XML_INACTIVE,
			.answer = &xml,
			.silence = ERR_UNAVAILABLE,
		},
		err);
	return xml;
}

char *hypervisor_get_xml(
	struct hypervisor *hypervisor, const char *uuid, bool live, struct error *err)
{
	return read_xml(hypervisor, uuid, live, DOMAIN_ASK_MS, err);
}

char *hypervisor_show_xml(
	struct hypervisor *hypervisor, const char *uuid, bool live, struct error *err)
{
	return read_xml(hypervisor, uuid, live, SHOW_MS, err);
}

static int call_create(virDomainPtr domain, struct domain_control *control)
{
	return libvirt.virDomainCreateWithFlags(domain, control->flags);
}

/* Another program took the port of the guest's display after libvirt had found it free. */
static bool has_lost_port(const struct error *err)
{
	return strstr(err->message, "Failed to find an available port") != NULL;
}

int hypervisor_boot(
	struct hypervisor *hypervisor, const char *uuid, bool start_paused, struct error *err)
{
	const struct domain_control start = {
		.what = "starting",
		.hint = "it may still start; libvirt or its lock manager may hang",
		.call = call_create,
		.timeout_ms = START_MS,
		.flags = start_paused ? VIR_DOMAIN_START_PAUSED : 0,
	};
	int attempts = START_ATTEMPTS;

	while (domain_control(hypervisor, uuid, &start, err) < 0) {
		if (--attempts == 0 || !has_lost_port(err))
			return -1;
		error_clear(err);
	}
	return 0;
}

static int call_shutdown(virDomainPtr domain, struct domain_control *control)
{
	return libvirt.virDomainShutdownFlags(domain, control->flags);
}

int hypervisor_shutdown(struct hypervisor *hypervisor, const char *uuid, struct error *err)
{
	return domain_control(hypervisor, uuid,
		&(struct domain_control){
			.what = "asking for shutdown of",
			.call = call_shutdown,
			.timeout_ms = DOMAIN_ASK_MS,
			.flags = hypervisor_qemu_flags(
				hypervisor, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN),
		},
		err);
}

static int call_destroy(virDomainPtr domain, struct domain_control *control)
{
	return libvirt.virDomainDestroyFlags(domain, control->flags);
}

int hypervisor_destroy(
	struct hypervisor *hypervisor, const char *uuid, bool graceful, struct error *err)
{
	return domain_control(hypervisor, uuid,
		&(struct domain_control){
			.what = "stopping",
			.call = call_destroy,
			.timeout_ms = DESTROY_MS,
			.flags = graceful ? VIR_DOMAIN_DESTROY_GRACEFUL : 0,
		},
		err);
}

static int call_suspend(virDomainPtr domain, struct domain_control *control)
{
	(void)control;
	return libvirt.virDomainSuspend(domain);
}

int hypervisor_suspend(struct hypervisor *hypervisor, const char *uuid, struct error *err)
{
	return domain_control(hypervisor, uuid,
		&(struct domain_control){
			.what = "pausing",
			.call = call_suspend,
			.timeout_ms = CPUS_MS,
		},
		err);
}

static int call_resume(virDomainPtr domain, struct domain_control *control)
{
	(void)control;
	return libvirt.virDomainResume(domain);
}

int hypervisor_resume(struct hypervisor *hypervisor, const char *uuid, struct error *err)
{
	return domain_control(hypervisor, uuid,
		&(struct domain_control){
			.what = "resuming",
			.call = call_resume,
			.timeout_ms = CPUS_MS,
		},
		err);
}

static int call_reboot(virDomainPtr domain, struct domain_control *control)
{
	return libvirt.virDomainReboot(domain, control->flags);
}

static int call_reset(virDomainPtr domain, struct domain_control *control)
{
	(void)control;
	return libvirt.virDomainReset(domain, 0);
}

int hypervisor_reboot(
	struct hypervisor *hypervisor, const char *uuid, bool reset, struct error *err)
{
	struct domain_control wanted = {.timeout_ms = DOMAIN_ASK_MS};

	wanted.what = reset ? "resetting" : "asking for reboot of";
	wanted.call = reset ? call_reset : call_reboot;
	wanted.flags = hypervisor_qemu_flags(hypervisor, VIR_DOMAIN_REBOOT_ACPI_POWER_BTN);
	return domain_control(hypervisor, uuid, &wanted, err);
}

static int call_metadata(virDomainPtr domain, struct domain_control *control)
{
	return libvirt.virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, control->xml,
		control->key, control->uri, VIR_DOMAIN_AFFECT_CONFIG);
}

int hypervisor_set_metadata(struct hypervisor *hypervisor, const char *uuid, const char *key,
	const char *uri, const char *xml, struct error *err)
{
	return domain_control(hypervisor, uuid,
		&(struct domain_control){.what = "writing metadata of",
			.call = call_metadata,
			.timeout_ms = METADATA_MS,
			.key = xstrdup(key),
			.uri = xstrdup(uri),
			.xml = xstrdup_or_null(xml)},
		err);
}
