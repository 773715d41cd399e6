/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot vm, shutdown vm, reboot vm, pause vm, resume vm. */
#include "base/str.h"
#include "command.h"
#include "wait.h"

/* A change of state without an answer. */
static int change(struct client *client, const char *method, const char *id, const char *suffix,
	struct json_object *body, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = method};

	return client_exchange_id(client, THING_VM, id, suffix, &exchange, body, err);
}

/* Waits when --wait was given. */
static int maybe_wait(
	struct client *client, const char *id, enum runstate runstate, struct error *err)
{
	return option_count(&client->options, "wait") > 0 ? wait_runstate(client, id, runstate, err)
							  : 0;
}

/* Adds a cloud-init file; its option and its name on the wire are the same word. */
static int add_cloud_init(
	struct client *client, struct json_object *list, const char *name, struct error *err)
{
	const char *path = option_value(&client->options, name);
	size_t len;

	if (!path)
		return 0;
	cleanup_free char *text = client_read_file(path, &len, err);

	if (!text)
		return -1;
	if (strlen(text) != len || !str_is_utf8(text))
		return error_set(err, ERR_INVALID, "%s is not UTF-8 text", path);
	struct json_object *item = json_append_object(list);

	json_add_string(item, "name", name);
	json_add_string(item, "value", text);
	return 0;
}

static int each_boot(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_json struct json_object *body = json_new_object();
	struct json_object *list = json_add_array(body, "cloud_init");

	*result = NULL;
	if (add_cloud_init(client, list, "ci-userdata", err) < 0 ||
		add_cloud_init(client, list, "ci-metadata", err) < 0 ||
		add_cloud_init(client, list, "ci-networkconfig", err) < 0)
		return -1;
	if (change(client, "POST", id, "/runstate/boot", body, err) < 0)
		return -1;
	return maybe_wait(client, id, RUNSTATE_RUNNING, err);
}

static const struct option_row boot_options[] = {
	{'u', "ci-userdata", "FILE", "cloud-init user-data for this boot", COMPLETE_FILE},
	{'m', "ci-metadata", "FILE", "cloud-init meta-data", COMPLETE_FILE},
	{'c', "ci-networkconfig", "FILE", "cloud-init network-config", COMPLETE_FILE},
	WAIT_OPTIONS("it runs"),
	{0, NULL, NULL, NULL, 0},
};

const struct command boot_vm_command = {
	.name = "boot vm",
	.operands = "ID...",
	.summary = "Start VMs",
	.example = "virtx boot vm web\n"
		   "virtx boot vm web db --wait\n"
		   "virtx boot vm web --ci-userdata user-data.yaml",
	.options = boot_options,
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_boot,
};

/* The body {"force": ...} with how often --force was given, up to max. */
static struct json_object *force_body(struct client *client, unsigned max)
{
	unsigned force = option_count(&client->options, "force");
	struct json_object *body = json_new_object();

	json_add_int(body, "force", force < max ? force : max);
	return body;
}

static int each_shutdown(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_json struct json_object *body = force_body(client, 2);

	*result = NULL;
	if (change(client, "DELETE", id, "/runstate/boot", body, err) < 0)
		return -1;
	return maybe_wait(client, id, RUNSTATE_POWEROFF, err);
}

static const struct option_row shutdown_options[] = {
	{'f', "force", NULL, "end QEMU instead of asking the guest; twice: kill it", 0},
	WAIT_OPTIONS("it is off"),
	{0, NULL, NULL, NULL, 0},
};

const struct command shutdown_vm_command = {
	.name = "shutdown vm",
	.operands = "ID...",
	.summary = "Shut VMs down",
	.details = "The guest is asked by ACPI and may take its time, or not listen at all. "
		   "--force is like\n"
		   "pulling the plug: what the guest did not write to its disks is lost.",
	.example = "virtx shutdown vm web --wait --timeout 2m\n"
		   "virtx shutdown vm web -f\n"
		   "virtx shutdown vm web -ff",
	.options = shutdown_options,
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_shutdown,
};

static int each_reboot(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_json struct json_object *body = force_body(client, 1);

	*result = NULL;
	return change(client, "POST", id, "/runstate/reboot", body, err);
}

static const struct option_row reboot_options[] = {
	{'f', "force", NULL, "reset it instead of asking the guest", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command reboot_vm_command = {
	.name = "reboot vm",
	.operands = "ID...",
	.summary = "Reboot VMs",
	.example = "virtx reboot vm web\n"
		   "virtx reboot vm web -f",
	.options = reboot_options,
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_reboot,
};

static int each_pause(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	*result = NULL;
	return change(client, "POST", id, "/runstate/pause", NULL, err);
}

const struct command pause_vm_command = {
	.name = "pause vm",
	.operands = "ID...",
	.summary = "Stop the CPUs of VMs; their memory stays",
	.example = "virtx pause vm web",
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_pause,
};

static int each_resume(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	*result = NULL;
	return change(client, "DELETE", id, "/runstate/pause", NULL, err);
}

const struct command resume_vm_command = {
	.name = "resume vm",
	.operands = "ID...",
	.summary = "Let paused VMs go on",
	.example = "virtx resume vm web",
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each_resume,
};
