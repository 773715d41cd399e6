/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a VM may come, as it is asked and answered; admission_judge.c decides. See admission.h.
 */
#include "admission.h"

#include "base/str.h"
#include "forward.h"
#include "model/json.h"

struct json_object *admission_question_to_json(const struct admission_question *question)
{
	struct json_object *json = json_new_object();

	json_add_string(json, "vm", question->vm);
	json_add_bool(json, "live", question->live);
	json_add_bool(json, "hold", question->hold);
	json_add_string(json, "xml", question->xml);
	return json;
}

/* A text that must be there, borrowed from the JSON. */
static int borrow_text(
	struct json_object *json, const char *name, const char **text, struct error *err)
{
	cleanup_free char *checked = NULL;

	if (json_get_string(json, name, "", &checked, err))
		return -1;
	if (str_is_empty(checked))
		return error_set(err, ERR_INVALID, "%s: missing", name);
	*text = json_object_get_string(json_object_object_get(json, name));
	return 0;
}

int admission_question_from_json(
	struct json_object *json, struct admission_question *question, struct error *err)
{
	char canonical[UUID_TEXT_SIZE];

	*question = (struct admission_question){0};
	if (borrow_text(json, "vm", &question->vm, err) ||
		json_get_bool(json, "live", "", &question->live, err) ||
		json_get_bool(json, "hold", "", &question->hold, err) ||
		borrow_text(json, "xml", &question->xml, err))
		return -1;
	if (!uuid_canonical(question->vm, canonical) || !str_equal(question->vm, canonical))
		return error_set(
			err, ERR_INVALID, "vm: %.64s is not the UUID of a VM", question->vm);
	return 0;
}

struct json_object *admission_answer_to_json(const struct admission_answer *answer)
{
	const struct error *refusal = &answer->refusal;
	struct json_object *json = json_new_object();

	json_add_bool(json, "ok", !error_is_set(refusal));
	json_add_string(json, "code", error_is_set(refusal) ? error_code_word(refusal->code) : "");
	json_add_string(json, "detail", refusal->message);
	json_add_string(json, "hint", refusal->hint);
	json_add_int(json, "memoryavailable", answer->memory_mib);
	json_add_int(json, "cpuavailable", answer->cpu_mhz);
	json_add_int(json, "vms", answer->vms);
	return json;
}

static int read_refusal(struct json_object *json, struct error *refusal, struct error *err)
{
	cleanup_free char *code = NULL, *detail = NULL, *hint = NULL;

	if (json_get_string(json, "code", "", &code, err) ||
		json_get_string(json, "detail", "", &detail, err) ||
		json_get_string(json, "hint", "", &hint, err))
		return -1;
	if (str_is_empty(detail) || str_has_control(detail) || str_has_control(hint))
		return error_set(err, ERR_INVALID, "detail: it refuses without a reason");
	enum error_code known = error_code_parse(code);

	error_set(refusal, known == ERR_NONE ? ERR_INTERNAL : known, "%s", detail);
	if (!str_is_empty(hint))
		error_hint(refusal, "%s", hint);
	return 0;
}

int admission_answer_from_json(
	struct json_object *json, struct admission_answer *answer, struct error *err)
{
	int64_t vms = 0;
	bool ok = false;

	*answer = (struct admission_answer){0};
	if (json_get_bool(json, "ok", "", &ok, err) ||
		json_get_i64(json, "memoryavailable", "", &answer->memory_mib, err) ||
		json_get_i64(json, "cpuavailable", "", &answer->cpu_mhz, err) ||
		json_get_i64(json, "vms", "", &vms, err))
		return -1;
	if (vms < 0 || vms > UINT32_MAX)
		return error_set(err, ERR_INVALID, "vms: out of range");
	answer->vms = (unsigned)vms;
	return ok ? 0 : read_refusal(json, &answer->refusal, err);
}

static int read_answer(
	const char *text, size_t len, struct admission_answer *answer, struct error *err)
{
	cleanup_json struct json_object *json = NULL;
	struct error cause = {0};

	if (json_parse(text, len, &json, &cause) ||
		admission_answer_from_json(json, answer, &cause))
		return error_set(
			err, ERR_FORWARD, "its answer is not understood: %s", cause.message);
	return 0;
}

int admission_ask(struct daemon *daemon, const char *host_uuid,
	const struct admission_question *question, struct admission_answer *answer,
	struct error *err)
{
	cleanup_json struct json_object *json = admission_question_to_json(question);
	cleanup_free char *text = json_text(json);
	cleanup_free char *target = xasprintf("/hosts/%s/admission", host_uuid);
	size_t len = 0;

	*answer = (struct admission_answer){0};
	if (!daemon->forward)
		return error_set(err, ERR_UNAVAILABLE, "this host belongs to no cluster");
	cleanup_free char *said =
		forward_post(daemon->forward, host_uuid, target, text, strlen(text), &len, err);
	if (said)
		return read_answer(said, len, answer, err);
	/* To a client of ours it is the same as when forwarding fails. */
	if (err->code == ERR_CONNECT)
		err->code = ERR_FORWARD;
	return -1;
}
