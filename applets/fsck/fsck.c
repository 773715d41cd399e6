/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtx fsck: whether register, leases, images and libvirt agree. It asks no virtxd; it reads the
 * same configuration.
 */
#include "applets/virtx/command.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"
#include "rules.h"

#include <poll.h>

#define EXIT_FINDINGS  1
#define EXIT_UNCHECKED 2
#define LOOK_AGAIN_MS  300
#define SEVERITIES     3
#define MAX_SETTINGS   24

static const char *const severity_words[SEVERITIES] = {"ERROR", "WARN", "INFO"};

/* What it was asked to do, and what it has found. */
struct fsck {
	struct client *client;
	struct settings settings;
	struct facts facts;
	struct findings findings;
	size_t counts[SEVERITIES], hidden;
	size_t repaired;
	const struct rule
		*repaired_by; /* the rule whose repairs the facts do not know; NULL: none */
	bool refreshed;
	struct findings left; /* once refreshed */
	bool verbose, repair, sure;
};

/* Options that are settings of virtxd. */
static const char *const passed_on[] = {
	"standalone", "state-dir", "vms-dir", "host-uuid", "libvirt-uri", "lock-manager", NULL};

static int load_settings(struct fsck *fsck, struct error *err)
{
	const struct options *options = &fsck->client->options;
	char *argv[MAX_SETTINGS] = {(char *)(uintptr_t) "virtx"};
	int argc = 1;

	for (size_t i = 0; passed_on[i]; i++) {
		const char *value = option_value(options, passed_on[i]);

		if (value)
			argv[argc++] = xasprintf("--%s=%s", passed_on[i], value);
		else if (option_count(options, passed_on[i]) > 0)
			argv[argc++] = xasprintf("--%s", passed_on[i]);
	}
	int loaded =
		settings_load(&fsck->settings, option_value(options, "config"), argc, argv, err);
	while (argc > 1)
		free(argv[--argc]);
	return loaded;
}

/* Keeps of the findings those that were there a moment earlier too. */
static void keep_common(struct findings *findings, const struct findings *earlier)
{
	struct findings common = {0};

	for (size_t i = 0; i < findings->n; i++)
		for (size_t j = 0; j < earlier->n; j++) {
			struct finding *finding = &findings->list[i];

			if (!finding_equal(finding, &earlier->list[j]))
				continue;
			*(struct finding *)facts_grow(
				(void **)&common.list, &common.n, sizeof(*common.list)) = *finding;
			*finding = (struct finding){0};
			break;
		}
	findings_free(findings);
	*findings = common;
}

/* Errors and warnings. */
static size_t count_damage(const struct findings *findings)
{
	size_t count = 0;

	for (size_t i = 0; i < findings->n; i++)
		count += findings->list[i].rule->severity != FSCK_INFO;
	return count;
}

/*
 * Looks, and where a virtxd runs looks again before it says anything: operations begin and end in
 * the middle of a look.
 */
static int look(struct fsck *fsck, struct error *err)
{
	struct findings earlier;

	if (facts_gather(&fsck->facts, &fsck->settings, fsck->repair, err) < 0)
		return -1;
	findings_look(&fsck->facts, &fsck->findings);
	if (!fsck->facts.served || count_damage(&fsck->findings) == 0)
		return 0;
	poll(NULL, 0, LOOK_AGAIN_MS);
	earlier = fsck->findings;
	facts_free(&fsck->facts);
	fsck->findings = (struct findings){0};
	int looked = facts_gather(&fsck->facts, &fsck->settings, fsck->repair, err);
	if (looked == 0) {
		findings_look(&fsck->facts, &fsck->findings);
		keep_common(&fsck->findings, &earlier);
	}
	findings_free(&earlier);
	return looked;
}

/* "ERROR rule  subject: text; what to do". */
static void print_finding(const struct fsck *fsck, const struct finding *finding)
{
	const struct rule *rule = finding->rule;
	cleanup_free char *subject = text_escape(finding->subject);
	cleanup_free char *text = text_escape(finding->text);

	fprintf(fsck->client->out, "%-5s %-18s %s: %s%s%s%s\n", severity_words[rule->severity],
		rule->word, subject, text, rule->todo ? "; " : "", rule->todo ? rule->todo : "",
		rule->does && !fsck->repair ? " (or --repair)" : "");
}

static bool confirm(const struct fsck *fsck, const struct finding *finding)
{
	char answer[16];

	if (fsck->sure)
		return true;
	fprintf(fsck->client->log, "      %s? [y/N] ", finding->rule->does);
	fflush(fsck->client->log);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Looks again, after repairs. */
static void refresh(struct fsck *fsck)
{
	struct error err = {0};

	facts_free(&fsck->facts);
	findings_free(&fsck->left);
	if (facts_gather(&fsck->facts, &fsck->settings, true, &err) == 0)
		findings_look(&fsck->facts, &fsck->left);
	else
		facts_note_unseen(&fsck->facts, "what is left: %s", err.message);
	fsck->refreshed = true;
}

/*
 * Whether a finding is still there: one repair may have settled another, or made it wrong. Within a
 * rule they are independent.
 */
static bool is_left(struct fsck *fsck, const struct finding *finding)
{
	if (fsck->repaired_by && fsck->repaired_by != finding->rule) {
		refresh(fsck);
		fsck->repaired_by = finding->rule;
	}
	if (!fsck->refreshed)
		return true;
	for (size_t i = 0; i < fsck->left.n; i++)
		if (finding_equal(&fsck->left.list[i], finding))
			return true;
	return false;
}

static void repair(struct fsck *fsck, const struct finding *finding)
{
	FILE *out = fsck->client->out;
	struct error err = {0};

	if (!fsck->repair || !finding->rule->repair)
		return;
	fflush(out);
	if (!is_left(fsck, finding)) {
		fputs("      settled by what was repaired before\n", out);
		return;
	}
	if (!confirm(fsck, finding))
		return;
	if (finding_repair(&fsck->facts, finding, &err) == 0) {
		fprintf(out, "      repaired: %s\n", finding->rule->does);
		fsck->repaired++;
		fsck->repaired_by = finding->rule;
		return;
	}
	cleanup_free char *message = text_escape(err.message);
	fprintf(out, "      not repaired: %s%s%s\n", message, *err.hint ? "; " : "", err.hint);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_summary(const struct fsck *fsck)
{
	const struct facts *facts = &fsck->facts;
	FILE *out = fsck->client->out;

	fprintf(out, "checked %zu VM%s of %zu host%s, %zu lease%s, %zu image%s (%.1f GiB): ",
		facts->entries.n, plural(facts->entries.n), facts->hosts.n, plural(facts->hosts.n),
		facts->leases.n, plural(facts->leases.n), facts->n_images, plural(facts->n_images),
		(double)facts->image_bytes / (1024.0 * 1024 * 1024));
	fprintf(out, "%zu error%s, %zu warning%s, %zu remark%s", fsck->counts[FSCK_ERROR],
		plural(fsck->counts[FSCK_ERROR]), fsck->counts[FSCK_WARNING],
		plural(fsck->counts[FSCK_WARNING]), fsck->counts[FSCK_INFO],
		plural(fsck->counts[FSCK_INFO]));
	if (!fsck->verbose && fsck->hidden)
		fprintf(out, " (%zu with --verbose)", fsck->hidden);
	if (fsck->repaired)
		fprintf(out, "; %zu repaired, %zu left", fsck->repaired, count_damage(&fsck->left));
	fputs(facts->unseen.n ? "; NOT everything could be checked\n" : "\n", out);
}

static void print_text(struct fsck *fsck)
{
	for (size_t i = 0; i < fsck->findings.n; i++) {
		const struct finding *finding = &fsck->findings.list[i];

		if (finding->rule->detail && !fsck->verbose)
			continue;
		print_finding(fsck, finding);
		repair(fsck, finding);
	}
	if (fsck->repaired)
		refresh(fsck);
	for (size_t i = 0; i < fsck->facts.unseen.n; i++) {
		cleanup_free char *text = text_escape(fsck->facts.unseen.list[i]);

		fprintf(fsck->client->out, "%-5s %-18s %s\n", "WARN", "unseen", text);
	}
	print_summary(fsck);
}

static struct json_object *to_json(const struct fsck *fsck)
{
	struct json_object *json = json_new_object();
	struct json_object *list = json_add_array(json, "findings");
	struct json_object *unseen = json_add_array(json, "unseen");
	struct json_object *checked = json_add_object(json, "checked");

	for (size_t i = 0; i < fsck->findings.n; i++) {
		const struct finding *finding = &fsck->findings.list[i];
		const struct rule *rule = finding->rule;

		if (rule->detail && !fsck->verbose)
			continue;
		struct json_object *item = json_append_object(list);
		json_add_string(item, "severity", severity_words[rule->severity]);
		json_add_string(item, "rule", rule->word);
		json_add_string(item, "subject", finding->subject);
		json_add_string(item, "vm", finding->vm);
		json_add_string(item, "text", finding->text);
		json_add_string(item, "todo", rule->todo);
		json_add_bool(item, "repairable", rule->repair != NULL);
	}
	for (size_t i = 0; i < fsck->facts.unseen.n; i++)
		json_append_string(unseen, fsck->facts.unseen.list[i]);
	json_add_int(checked, "vms", (int64_t)fsck->facts.entries.n);
	json_add_int(checked, "hosts", (int64_t)fsck->facts.hosts.n);
	json_add_int(checked, "leases", (int64_t)fsck->facts.leases.n);
	json_add_int(checked, "images", (int64_t)fsck->facts.n_images);
	json_add_int(checked, "bytes", (int64_t)fsck->facts.image_bytes);
	json_add_int(json, "errors", (int64_t)fsck->counts[FSCK_ERROR]);
	json_add_int(json, "warnings", (int64_t)fsck->counts[FSCK_WARNING]);
	return json;
}

static struct json_object *finding_rows(struct json_object *result)
{
	return json_object_get(json_at(result, "findings"));
}

static void print_data(const struct fsck *fsck)
{
	static const struct view view = {NULL, "rule", finding_rows};
	cleanup_json struct json_object *results = json_object_new_array();

	json_object_array_add(results, to_json(fsck));
	output_print(fsck->client, &view, results);
}

static void report(struct fsck *fsck)
{
	for (size_t i = 0; i < fsck->findings.n; i++) {
		fsck->counts[fsck->findings.list[i].rule->severity]++;
		fsck->hidden += fsck->findings.list[i].rule->detail;
	}
	if (fsck->client->format == OUTPUT_TABLE)
		print_text(fsck);
	else
		print_data(fsck);
	if (count_damage(fsck->repaired ? &fsck->left : &fsck->findings) > 0)
		fsck->client->exit_status = EXIT_FINDINGS;
	else if (fsck->facts.unseen.n)
		fsck->client->exit_status = EXIT_UNCHECKED;
}

static int list_rules(struct client *client)
{
	cleanup_json struct json_object *list = json_object_new_array();
	static const struct column columns[] = {
		{"RULE", "rule", cell_text, NULL},
		{"SEVERITY", "severity", cell_text, NULL},
		{"REPAIR", "repair", cell_text, NULL},
		{"FOUND WHEN", "meaning", cell_text, NULL},
		{NULL, NULL, NULL, NULL},
	};
	static const struct view view = {columns, "rule", NULL};

	for (const struct rule *rule = rules; rule->word; rule++) {
		struct json_object *item = json_new_object();

		json_add_string(item, "rule", rule->word);
		json_add_string(item, "severity", severity_words[rule->severity]);
		json_add_string(item, "repair", rule->does);
		json_add_string(item, "meaning", rule->meaning);
		json_add_string(item, "todo", rule->todo);
		json_object_array_add(list, item);
	}
	output_print(client, &view, list);
	return 0;
}

static int check_options(struct fsck *fsck, struct error *err)
{
	const struct client *client = fsck->client;

	fsck->verbose = option_count(&client->options, "verbose") > 0;
	fsck->repair = option_count(&client->options, "repair") > 0;
	fsck->sure = option_count(&client->options, "yes") > 0;
	if (fsck->repair && client->format != OUTPUT_TABLE)
		return error_set(err, ERR_USAGE, "--repair reports as text only");
	if (fsck->repair && !fsck->sure && !isatty(STDIN_FILENO))
		return error_set(err, ERR_USAGE, "--repair asks on a terminal; --yes does not ask");
	return 0;
}

static int run_fsck(struct client *client, struct error *err)
{
	struct fsck fsck = {.client = client};

	if (option_count(&client->options, "list-rules") > 0)
		return list_rules(client);
	/* Findings say it; what the modules log on their way is for a daemon. */
	log_set_level(LOG_LEVEL_ERROR);
	if (check_options(&fsck, err) == 0 && load_settings(&fsck, err) == 0) {
		if (look(&fsck, err) == 0)
			report(&fsck);
		findings_free(&fsck.findings);
		findings_free(&fsck.left);
		facts_free(&fsck.facts);
		settings_free(&fsck.settings);
	}
	if (!error_is_set(err))
		return 0;
	client->exit_status = EXIT_UNCHECKED;
	return -1;
}

static const struct option_row options[] = {
	{0, "repair", NULL, "ask for each finding that can be repaired safely, and do it", 0},
	{'y', "yes", NULL, "do not ask", 0},
	{'v', "verbose", NULL, "also what is merely worth knowing", 0},
	{0, "list-rules", NULL, "print the rules and what they mean", 0},
	{0, "config", "FILE", "virtxd's configuration (default: /etc/virtx/virtxd.conf)",
		COMPLETE_FILE},
	{0, "standalone", NULL, "check the storage of virtxd --standalone", 0},
	{0, "state-dir", "DIR", "in place of the configuration's state_dir", COMPLETE_FILE},
	{0, "vms-dir", "DIR", "in place of the configuration's vms_dir", COMPLETE_FILE},
	{0, "host-uuid", "UUID", "in place of the identity that virtxd last had here", 0},
	{0, "libvirt-uri", "URI", "in place of the configuration's libvirt_uri", 0},
	{0, "lock-manager", "NAME", "in place of the configuration's lock_manager", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command fsck_command = {
	.name = "fsck",
	.operands = "",
	.summary = "Check this host's storage: register, leases, images and what libvirt has",
	.details =
		"It asks no virtxd, and may run while one does: what an operation is in the middle "
		"of\n"
		"is reported as in progress. Nothing is changed without --repair, which never "
		"removes an\n"
		"image. Exit status: 0 nothing found, 1 errors or warnings that are not repaired, "
		"2 not\n"
		"everything could be checked.",
	.example = "virtx fsck\n"
		   "virtx fsck --standalone --state-dir ~/.local/state/virtx\n"
		   "virtx fsck --repair",
	.options = options,
	.run = run_fsck,
};
