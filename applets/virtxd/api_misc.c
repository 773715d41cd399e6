/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GET /healthz, /readyz, /version and /openapi.yaml. */
#include "base/mem.h"
#include "model/json.h"
#include "openapi.h"
#include "readiness.h"
#include "routes.h"

#define API_VERSION "1"

int api_healthz(struct call *call, struct error *err)
{
	(void)err;
	http_response_text(call->response, 200, "application/json", "{\"status\":\"ok\"}");
	return 0;
}

int api_readyz(struct call *call, struct error *err)
{
	if (readiness_check(call->daemon, err) < 0)
		return -1;
	http_response_text(call->response, 200, "application/json", "{\"status\":\"ready\"}");
	return 0;
}

/* libvirt's way of writing versions; "" for none. */
static void add_version(struct json_object *json, const char *name, unsigned long version)
{
	char text[48] = "";

	if (version)
		snprintf(text, sizeof(text), "%lu.%lu.%lu", version / 1000000,
			version / 1000 % 1000, version % 1000);
	json_add_string(json, name, text);
}

int api_version(struct call *call, struct error *err)
{
	const struct daemon *daemon = call->daemon;
	struct json_object *json = json_new_object();

	(void)err;
	json_add_string(json, "version", VIRTX_VERSION);
	json_add_string(json, "api", API_VERSION);
	add_version(json, "libvirt", daemon->caps.version);
	add_version(json, "qemu", daemon->caps.qemu_version);
	json_add_string(json, "virt_type", enum_name(&virt_type_names, (int)daemon->virt_type));
	json_add_string(json, "host", daemon->host_name);
	json_add_string(json, "uuid", daemon->host_uuid);
	json_add_string(json, "mode", daemon->settings.standalone ? "standalone" : "cluster");
	return call_answer_json(call, 200, json);
}

int api_openapi(struct call *call, struct error *err)
{
	(void)err;
	call->response->type = "application/yaml";
	call->response->body =
		http_body_new(xmemdup(openapi_yaml, openapi_yaml_len), openapi_yaml_len);
	return call_answer(call, 200);
}
