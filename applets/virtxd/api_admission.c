/* SPDX-License-Identifier: GPL-2.0-or-later */
/* POST /hosts/{id}/admission: another host asks whether a VM may come; see admission.h. */
#include "admission.h"
#include "model/json.h"
#include "routes.h"

int api_hosts_admission(struct call *call, struct error *err)
{
	struct admission_question question;
	struct admission_answer answer;

	if (call_check_peer(call, err) || admission_question_from_json(call->body, &question, err))
		return -1;
	admission_judge(call->daemon, call->peer, &question, &answer);
	return call_answer_json(call, 200, admission_answer_to_json(&answer));
}
