/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of the API. What the flags do is in dispatch.c; openapi.yaml describes the same for
 * clients. */
#include "routes.h"

#define VM_CHANGE   (ROUTE_VM | ROUTE_OWNER | ROUTE_OWN | ROUTE_CHANGE | ROUTE_LIBVIRT)
#define HOST_CHANGE (ROUTE_HOST | ROUTE_OWNER | ROUTE_CHANGE | ROUTE_STORAGE)

/* clang-format off */
const struct route routes[] = {
	{"GET", "/vms", ROUTE_FAST | ROUTE_ARGUMENTS, api_vms_list, "List VMs"},
	{"POST", "/vms", ROUTE_BODY | ROUTE_CHANGE | ROUTE_LIBVIRT | ROUTE_STORAGE | ROUTE_LONG | ROUTE_TARGET,
	 api_vms_create, "Create a VM"},
	{"GET", "/vms/{id}", ROUTE_FAST | ROUTE_VM | ROUTE_OWNER, api_vms_get, "Get a VM"},
	{"PUT", "/vms/{id}", VM_CHANGE | ROUTE_BODY | ROUTE_OFF | ROUTE_STORAGE | ROUTE_LONG,
	 api_vms_update, "Update a VM"},
	{"DELETE", "/vms/{id}",
	 VM_CHANGE | ROUTE_ARGUMENTS | ROUTE_OFF | ROUTE_STORAGE | ROUTE_LONG | ROUTE_LEFT,
	 api_vms_delete, "Delete a VM"},
	{"GET", "/vms/{id}/xml", ROUTE_VM | ROUTE_OWNER | ROUTE_LIBVIRT, api_vms_xml,
	 "Get a VM's domain XML"},
	{"GET", "/vms/{id}/console", ROUTE_VM | ROUTE_OWNER, api_console_get,
	 "Read a VM's serial console"},
	/* A VM that nobody lists may still have a register entry. */
	{"PUT", "/vms/{id}/register",
	 ROUTE_ARGUMENTS | ROUTE_CHANGE | ROUTE_LIBVIRT | ROUTE_STORAGE | ROUTE_TARGET, api_register,
	 "Register a VM"},
	{"GET", "/vms/{id}/runstate", ROUTE_FAST | ROUTE_VM, api_runstate_get,
	 "Get a VM's state"},
	{"POST", "/vms/{id}/runstate/boot", VM_CHANGE | ROUTE_ARGUMENTS | ROUTE_STORAGE, api_boot,
	 "Boot a VM"},
	{"DELETE", "/vms/{id}/runstate/boot", VM_CHANGE | ROUTE_ARGUMENTS, api_shutdown,
	 "Shut a VM down"},
	{"POST", "/vms/{id}/runstate/reboot", VM_CHANGE | ROUTE_ARGUMENTS, api_reboot,
	 "Reboot a VM"},
	{"POST", "/vms/{id}/runstate/pause", VM_CHANGE, api_pause, "Pause a VM"},
	{"DELETE", "/vms/{id}/runstate/pause", VM_CHANGE, api_resume, "Resume a VM"},
	{"POST", "/vms/{id}/runstate/migrate", VM_CHANGE | ROUTE_ARGUMENTS | ROUTE_STORAGE,
	 api_migrate_start, "Migrate a VM"},
	{"GET", "/vms/{id}/runstate/migrate", ROUTE_VM | ROUTE_OWNER, api_migrate_get,
	 "Get the state of a migration"},
	{"DELETE", "/vms/{id}/runstate/migrate", VM_CHANGE, api_migrate_abort,
	 "Abort a migration"},
	{"GET", "/hosts", ROUTE_FAST | ROUTE_ARGUMENTS, api_hosts_list, "List hosts"},
	{"GET", "/hosts/{id}", ROUTE_FAST | ROUTE_HOST | ROUTE_OWNER, api_hosts_get,
	 "Get a host"},
	/* Never forwarded: who is asked through another host would take its client for that host. */
	{"GET", "/hosts/{id}/inventory", ROUTE_FAST | ROUTE_HOST,
	 api_hosts_inventory, "Get a host's inventory, for other hosts"},
	{"POST", "/hosts/{id}/admission", ROUTE_HOST | ROUTE_BODY | ROUTE_CHANGE,
	 api_hosts_admission, "Ask whether a VM may migrate to a host, for other hosts"},
	/* Of any host there ever was: this one reads the register. */
	{"GET", "/hosts/{id}/register", ROUTE_STORAGE, api_hosts_register,
	 "List what a host's register holds"},
	{"POST", "/hosts/{id}/drain", HOST_CHANGE | ROUTE_LIBVIRT | ROUTE_LONG, api_drain_start,
	 "Drain a host"},
	{"DELETE", "/hosts/{id}/drain", HOST_CHANGE, api_drain_lift, "Take the drain of a host back"},
	{"GET", "/operations", ROUTE_FAST | ROUTE_ALL, api_operations_list, "List operations"},
	{"GET", "/operations/{id}", ROUTE_FAST | ROUTE_OPERATION, api_operations_get, "Get an operation"},
	{"DELETE", "/operations/{id}", ROUTE_CHANGE | ROUTE_OPERATION, api_operations_cancel,
	 "Cancel an operation"},
	{"GET", "/healthz", ROUTE_FAST, api_healthz, "Is the daemon alive"},
	{"GET", "/readyz", ROUTE_FAST, api_readyz, "Is the daemon ready"},
	{"GET", "/version", ROUTE_FAST, api_version, "Get versions"},
	{"GET", "/openapi.yaml", ROUTE_FAST, api_openapi, "Get this API's description"},
	{NULL, NULL, 0, NULL, NULL},
};
/* clang-format on */
