/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create vm, update vm. */
#include "base/str.h"
#include "base/uuid.h"
#include "command.h"
#include "model/domain_xml.h"
#include "wait.h"

#include <sys/utsname.h>

static const struct column created_columns[] = {
	{"UUID", "uuid", cell_text, NULL},
	{NULL, NULL, NULL, NULL},
};

static void print_uuid(struct client *client, const char *uuid)
{
	static const struct view view = {created_columns, "uuid", NULL};
	cleanup_json struct json_object *results = json_object_new_array();

	json_add_string(json_append_object(results), "uuid", uuid);
	output_print(client, &view, results);
}

/* How the XML is to be made: from the options, and from this machine where they say nothing. */
static int xml_options(
	struct client *client, struct domain_xml_options *xml, char *uuid, struct error *err)
{
	const char *arch = option_value(&client->options, "arch");
	const char *kind = option_value(&client->options, "virt-type");
	const char *given = option_value(&client->options, "uuid");
	static struct utsname machine;
	int16_t virt_type = VIRT_TYPE_KVM;

	uuid_make(uuid);
	if (given && !uuid_canonical(given, uuid))
		return error_set(err, ERR_USAGE, "\"%s\" is not a UUID", given);
	if (kind &&
		(!enum_parse(&virt_type_names, kind, &virt_type) || virt_type == VIRT_TYPE_AUTO))
		return error_set(err, ERR_USAGE, "--virt-type is kvm or qemu");
	if (!arch && uname(&machine) == 0)
		arch = machine.machine;
	if (!arch || (!str_equal(arch, "x86_64") && !str_equal(arch, "aarch64")))
		return error_set(err, ERR_USAGE, "--arch is x86_64 or aarch64");
	domain_xml_options_init(xml, uuid);
	xml->arch = arch;
	xml->virt_type = (enum virt_type)virt_type;
	return 0;
}

static int print_xml(struct client *client, struct json_object *json, struct error *err)
{
	const struct vmdef_rules rules = {.vms_dir = "/vms"};
	struct domain_xml_options xml;
	cleanup_vmdef struct vmdef def = {0};
	char uuid[UUID_TEXT_SIZE];

	if (xml_options(client, &xml, uuid, err) < 0 || vmdef_from_json(json, &def, err) < 0 ||
		vmdef_validate(&def, &rules, err) < 0)
		return -1;
	cleanup_free char *text = domain_xml_write(&def, &xml, err);

	if (!text)
		return -1;
	fputs(text, client->out);
	return 0;
}

/* The UUID of the new VM, from the operation's record or from the answer itself. */
static int print_created(struct client *client, struct json_object *operation,
	const struct http_exchange *exchange, struct error *err)
{
	cleanup_json struct json_object *answer = NULL;

	if (operation) {
		print_uuid(client, json_text_at(operation, "vm"));
		return 0;
	}
	if (client_answer(exchange, &answer, err) < 0)
		return -1;
	if (!json_object_is_type(answer, json_type_string))
		return error_set(err, ERR_FORWARD, "the server's answer has no UUID");
	print_uuid(client, json_object_get_string(answer));
	return 0;
}

static int dry_run(struct client *client, struct json_object *body, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {
		.method = "POST", .target = "/vms?dry_run=true"};

	if (client_exchange(client, &exchange, body, err) < 0)
		return -1;
	fputs("the VM could be created; nothing was done\n", client->log);
	return 0;
}

static int run_create(struct client *client, struct error *err)
{
	const struct options *options = &client->options;
	cleanup_json struct json_object *def = NULL, *body = NULL, *operation = NULL;
	cleanup_exchange struct http_exchange exchange = {.method = "POST", .target = "/vms"};

	if (client_read_json(options->operands[0], &def, err) < 0)
		return -1;
	if (option_count(options, "print-xml") > 0)
		return print_xml(client, def, err);
	cleanup_free char *host = client_find_host(client, option_value(options, "host"), err);

	if (!host)
		return -1;
	body = json_new_object();
	json_object_object_add(body, "vmdef", json_object_get(def));
	json_add_string(body, "host", host);
	if (option_count(options, "dry-run") > 0)
		return dry_run(client, body, err);
	if (wait_change(client, NULL, NULL, &exchange, body, &operation, err) < 0)
		return -1;
	return print_created(client, operation, &exchange, err);
}

static const struct option_row create_options[] = {
	{'h', "host", "HOST", "the host that is to have it (default: the one asked)",
		COMPLETE_HOST},
	{0, "dry-run", NULL, "let the server check everything and do nothing", 0},
	{0, "print-xml", NULL, "print the domain XML that it becomes; needs no server", 0},
	{0, "arch", "ARCH", "with --print-xml: x86_64 or aarch64 (default: this machine's)",
		COMPLETE_ARCH},
	{0, "uuid", "UUID", "with --print-xml: the VM's UUID (default: a random one)", 0},
	{0, "virt-type", "TYPE", "with --print-xml: kvm or qemu (default: kvm)",
		COMPLETE_VIRT_TYPE},
	{0, NULL, NULL, NULL, 0},
};

const struct command create_vm_command = {
	.name = "create vm",
	.operands = "FILE",
	.summary = "Create a VM from its JSON definition (- is standard input)",
	.details = "Prints the new VM's UUID. Images are made as the definition says, which may "
		   "take a while;\n"
		   "virtx list operation shows how far it is. The VM is not started: virtx boot vm "
		   "does.",
	.example = "virtx create vm web.json\n"
		   "virtx create vm web.json --dry-run\n"
		   "virtx get definition vm web | virtx create vm - --host virt2",
	.options = create_options,
	.completes = {COMPLETE_FILE, COMPLETE_NOTHING},
	.run = run_create,
};

static int run_update(struct client *client, struct error *err)
{
	const struct options *options = &client->options;
	cleanup_json struct json_object *def = NULL, *body = NULL, *operation = NULL;
	cleanup_exchange struct http_exchange exchange = {.method = "PUT"};

	if (client_read_json(options->operands[1], &def, err) < 0)
		return -1;
	body = json_new_object();
	json_object_object_add(body, "vmdef", json_object_get(def));
	json_add_bool(body, "deletestorage", option_count(options, "storage") > 0);
	return wait_change(client, options->operands[0], NULL, &exchange, body, &operation, err);
}

static const struct option_row update_options[] = {
	{'s', "storage", NULL, "delete managed storage that the VM no longer uses", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command update_vm_command = {
	.name = "update vm",
	.operands = "ID FILE",
	.summary = "Replace a VM's definition (- is standard input)",
	.details =
		"The VM must be off. New disks are made; the images of disks that are gone stay,\n"
		"unless --storage is given.",
	.example = "virtx update vm web web.json\n"
		   "virtx update vm web web.json --storage",
	.options = update_options,
	.completes = {COMPLETE_VM, COMPLETE_FILE},
	.run = run_update,
};
