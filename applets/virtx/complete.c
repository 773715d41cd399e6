/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete, hidden: what the word under the cursor can become, one candidate on each line with
 * a tab and a description behind it; ":files" where the shell is to offer files. Operands: the
 * words of the command line without the program, the last one being the word to complete.
 * Whatever goes wrong, nothing is printed.
 */
#include "base/str.h"
#include "command.h"
#include "model/enums.h"

#define LIVE_TIMEOUT_MS 1000

struct completion {
	struct client *client;
	struct options options; /* of the line to complete */
	const struct command *command;
	const char *word;   /* to complete */
	const char *prefix; /* what goes in front of candidates: "--output=" for zsh and fish */
};

/* Prints a candidate that the word starts; names that could harm a terminal or shell are left out.
 */
static void offer(struct completion *completion, const char *candidate, const char *description)
{
	if (!*candidate || !str_starts_with(candidate, completion->word) ||
		str_has_control(candidate) || candidate[0] == ':')
		return;
	cleanup_free char *about = text_escape(description);

	fprintf(completion->client->out, "%s%s%s%s\n", completion->prefix, candidate,
		*about ? "\t" : "", about);
}

static void offer_names(struct completion *completion, const struct enum_names *names)
{
	for (int16_t i = 0; i < names->count; i++)
		offer(completion, names->names[i], "");
}

static void offer_words(struct completion *completion, const char *const *words)
{
	for (; *words; words++)
		offer(completion, *words, "");
}

/*
 * The items of a list: their names, and the UUIDs that a word starts. What the
 * server does not answer at once is not offered.
 */
static void offer_live(struct completion *completion, const char *target, const char *name,
	const char *about, bool both)
{
	cleanup_exchange struct http_exchange exchange = {.method = "GET",
		.target = target,
		.connect_timeout_ms = LIVE_TIMEOUT_MS,
		.timeout_ms = LIVE_TIMEOUT_MS};
	cleanup_json struct json_object *answer = NULL;
	struct error ignored = {0};

	if (client_exchange(completion->client, &exchange, NULL, &ignored) < 0 ||
		client_answer(&exchange, &answer, &ignored) < 0)
		return;
	struct json_object *items = json_at(answer, "items");
	size_t count =
		json_object_is_type(items, json_type_array) ? json_object_array_length(items) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);

		offer(completion, json_text_at(item, name), json_text_at(item, about));
		if (both && *completion->word)
			offer(completion, json_text_at(item, about), json_text_at(item, name));
	}
}

/* True when an earlier command goes on with the same word. */
static bool is_repeated(size_t index, char *const *words, size_t count, const char *word)
{
	char other[COMMAND_WORD_SIZE];

	for (size_t i = 0; i < index; i++) {
		if (!command_starts_with(commands[i], words, count))
			continue;
		command_word(commands[i], count, other);
		if (str_equal(word, other))
			return true;
	}
	return false;
}

/* The next words of the commands that the words so far start. */
static void offer_commands(struct completion *completion, char *const *words, size_t count)
{
	char word[COMMAND_WORD_SIZE];

	for (size_t i = 0; commands[i]; i++) {
		if (commands[i]->hidden || !command_starts_with(commands[i], words, count))
			continue;
		command_word(commands[i], count, word);
		if (!is_repeated(i, words, count, word))
			offer(completion, word,
				str_ends_with(commands[i]->name, word) ? commands[i]->summary : "");
	}
}

static void offer_value(struct completion *completion, enum complete kind)
{
	static const char *const formats[] = {"table", "json", "yaml", "name", NULL};
	static const char *const shells[] = {"bash", "zsh", "fish", NULL};
	static const char *const archs[] = {"x86_64", "aarch64", NULL};
	static const char *const virt_types[] = {"kvm", "qemu", NULL};

	switch (kind) {
	case COMPLETE_NOTHING:
		return;
	case COMPLETE_VM:
		offer_live(completion, "/vms", "fields.name", "uuid", true);
		return;
	case COMPLETE_HOST:
		offer_live(completion, "/hosts", "fields.name", "uuid", true);
		return;
	case COMPLETE_OPERATION:
		offer_live(completion, "/operations?all=true", "id", "kind", false);
		return;
	case COMPLETE_FILE:
		fputs(":files\n", completion->client->out);
		return;
	case COMPLETE_RUNSTATE:
		offer_names(completion, &runstate_names);
		return;
	case COMPLETE_CSTATE:
		offer_names(completion, &cstate_names);
		return;
	case COMPLETE_OUTPUT:
		offer_words(completion, formats);
		return;
	case COMPLETE_SHELL:
		offer_words(completion, shells);
		return;
	case COMPLETE_ARCH:
		offer_words(completion, archs);
		return;
	case COMPLETE_VIRT_TYPE:
		offer_words(completion, virt_types);
		return;
	case COMPLETE_COMMAND:
		offer_commands(
			completion, completion->options.operands, completion->options.n_operands);
		return;
	}
}

static void offer_options(struct completion *completion)
{
	for (size_t i = 0; i < OPTION_TABLES; i++) {
		const struct option_row *row = completion->options.tables[i];

		for (; row && row->name; row++) {
			cleanup_free char *name = xasprintf("--%s", row->name);

			if (row->help)
				offer(completion, name, row->help);
		}
	}
}

/* "--output=js": the value of a long option in the same word. */
static void offer_after_equals(struct completion *completion)
{
	const char *equals = strchr(completion->word, '=');
	const struct option_row *row = option_find(&completion->options, completion->word + 2,
		(size_t)(equals - completion->word) - 2, 0);
	cleanup_free char *prefix =
		xstrndup(completion->word, (size_t)(equals - completion->word) + 1);

	if (!row)
		return;
	completion->prefix = prefix;
	completion->word = equals + 1;
	offer_value(completion, (enum complete)row->completes);
}

/*
 * Reads the words in front of the one to complete. The row of an option that still waits for
 * its value, which that word is then; NULL otherwise.
 */
static const struct option_row *read_words(struct completion *completion, int count, char **words)
{
	struct options *options = &completion->options;

	for (int i = 0; i < count;) {
		struct error ignored = {0};
		int used = options_next(options, count + 1 - i, words + i, &ignored);

		if (used > count - i)
			return options->given[options->n_given - 1].row;
		i += used > 0 ? used : 1;
		if (completion->command)
			continue;
		completion->command = command_find(options->operands, options->n_operands);
		if (completion->command) {
			options->tables[0] = completion->command->options;
			options->tables[1] = global_options;
			options->n_operands = 0;
		}
	}
	return NULL;
}

/* bash makes three words of "--output=js": back to an option and its value. The new count. */
static size_t drop_equals(size_t count, char **words)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		bool is_equals = kept > 0 && str_equal(words[i], "=") &&
				 str_starts_with(words[kept - 1], "--");

		if (!is_equals)
			words[kept++] = words[i];
		else if (i == count - 1)
			words[kept++] = words[i] + 1;
	}
	return kept;
}

static void offer_operand(struct completion *completion)
{
	const struct command *command = completion->command;
	size_t index = completion->options.n_operands;

	if (index < command_max_operands(command))
		offer_value(completion,
			command->completes[index < COMMAND_OPERANDS ? index
								    : COMMAND_OPERANDS - 1]);
}

static int run(struct client *client, struct error *err)
{
	char **words = client->options.operands;
	size_t count = drop_equals(client->options.n_operands, words);
	struct completion completion = {.client = client, .prefix = ""};

	(void)err;
	completion.options.tables[0] = global_options;
	completion.word = words[count - 1];
	const struct option_row *waiting = read_words(&completion, (int)count - 1, words);

	/* The server that the line names is the one whose names it means. */
	if (option_value(&completion.options, "api-server"))
		client->server = option_value(&completion.options, "api-server");
	if (waiting)
		offer_value(&completion, (enum complete)waiting->completes);
	else if (str_starts_with(completion.word, "--") && strchr(completion.word, '='))
		offer_after_equals(&completion);
	else if (completion.word[0] == '-' && !completion.options.ended)
		offer_options(&completion);
	else if (!completion.command)
		offer_commands(
			&completion, completion.options.operands, completion.options.n_operands);
	else
		offer_operand(&completion);
	options_free(&completion.options);
	return 0;
}

const struct command complete_command = {
	.name = "complete",
	.operands = "WORD...",
	.summary = "What the shells ask for completions",
	.example = "virtx complete -- list vm --state \"\"",
	.hidden = true,
	.run = run,
};
