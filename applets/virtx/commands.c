/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one table of commands, in the order in which help shows them, and how words find a row. */
#include "base/buf.h"
#include "base/str.h"
#include "command.h"

#include <stdint.h>

const struct command *const commands[] = {
	&status_command,
	&list_vm_command,
	&list_host_command,
	&list_operation_command,
	&get_vm_command,
	&get_host_command,
	&get_runstate_command,
	&get_definition_command,
	&get_xml_command,
	&get_operation_command,
	&create_vm_command,
	&update_vm_command,
	&edit_vm_command,
	&delete_vm_command,
	&boot_vm_command,
	&shutdown_vm_command,
	&reboot_vm_command,
	&pause_vm_command,
	&resume_vm_command,
	&console_vm_command,
	&migrate_vm_command,
	&get_migrate_command,
	&abort_migrate_vm_command,
	&register_vm_command,
	&drain_host_command,
	&undrain_host_command,
	&cancel_operation_command,
	&fsck_command,
	&completion_command,
	&complete_command,
	&help_command,
	&version_command,
	NULL,
};

const struct option_row global_options[] = {
	{'A', "api-server", "HOST[:PORT]",
		"the server to ask (default: $VIRTX_API_SERVER, else localhost:8080)", 0},
	{'o', "output", "FORMAT", "how to print results: table, json, yaml or name",
		COMPLETE_OUTPUT},
	{0, "no-headers", NULL, "leave the header line of tables out", 0},
	{'D', "debug", NULL, "show requests and answers on standard error", 0},
	{'?', "help", NULL, "explain the command", 0},
	{0, "version", NULL, "print the version of this program", 0},
	/* Where the command has no -h of its own, people expect help. */
	{'h', "help", NULL, NULL, 0},
	{0, NULL, NULL, NULL, 0},
};

/* The length of the next word of a name, which *name is moved to. */
static size_t next_word(const char **name)
{
	*name += strspn(*name, " ");
	return strcspn(*name, " ");
}

static bool is_word(const char *word, const char *text, size_t len)
{
	return strlen(word) == len && strncmp(word, text, len) == 0;
}

bool command_starts_with(const struct command *command, char *const *words, size_t count)
{
	const char *name = command->name;

	for (size_t i = 0; i < count; i++) {
		size_t len = next_word(&name);

		if (!is_word(words[i], name, len))
			return false;
		name += len;
	}
	return true;
}

const struct command *command_find(char *const *words, size_t count)
{
	for (size_t i = 0; commands[i]; i++) {
		size_t n = 1;

		for (const char *c = commands[i]->name; *c; c++)
			n += *c == ' ';
		if (n == count && command_starts_with(commands[i], words, count))
			return commands[i];
	}
	return NULL;
}

/* How many of the words some command starts with. */
static size_t known_words(char *const *words, size_t count)
{
	size_t known = 0;

	for (size_t i = 0; commands[i]; i++)
		while (known < count && command_starts_with(commands[i], words, known + 1))
			known++;
	return known;
}

void command_word(const struct command *command, size_t index, char word[static COMMAND_WORD_SIZE])
{
	const char *name = command->name;
	size_t len = next_word(&name);

	for (; index > 0; index--) {
		name += len;
		len = next_word(&name);
	}
	snprintf(word, COMMAND_WORD_SIZE, "%.*s", (int)len, name);
}

int command_unknown(char *const *words, size_t count, struct error *err)
{
	size_t known = known_words(words, count);
	struct str_nearest nearest = {.word = known < count ? words[known] : ""};
	cleanup_buf struct printbuf *start = buf_new();
	char candidate[COMMAND_WORD_SIZE], best[COMMAND_WORD_SIZE] = "";

	for (size_t i = 0; commands[i]; i++) {
		if (commands[i]->hidden || !command_starts_with(commands[i], words, known))
			continue;
		command_word(commands[i], known, candidate);
		str_nearest_try(&nearest, candidate);
		if (nearest.best == candidate) {
			memcpy(best, candidate, sizeof(best));
			nearest.best = best;
		}
	}
	for (size_t i = 0; i < known; i++)
		buf_format(start, "%s%s", i ? " " : "", words[i]);
	if (known == count) {
		error_set(err, ERR_USAGE, "\"%s\" is only the start of a command", start->buf);
		return error_hint(err, "virtx help %s shows how it goes on", start->buf);
	}
	error_set(err, ERR_USAGE, "there is no command \"%s%s%s\"", start->buf, known ? " " : "",
		words[known]);
	if (*best)
		return error_hint(
			err, "did you mean \"%s%s%s\"?", start->buf, known ? " " : "", best);
	return error_hint(err, "virtx help lists the commands");
}

/* "ID FILE" is exactly two, "ID..." one and more, "[WORD...]" any number. */
static void operand_range(const struct command *command, size_t *least, size_t *most)
{
	const char *word = command->operands;

	*least = *most = 0;
	for (size_t len; (len = next_word(&word)) > 0; word += len) {
		*least += *word != '[';
		*most = strstr(word, "...") ? SIZE_MAX : *most + 1;
	}
}

size_t command_max_operands(const struct command *command)
{
	size_t least, most;

	operand_range(command, &least, &most);
	return most;
}

int command_check_operands(const struct command *command, size_t count, struct error *err)
{
	size_t least, most;

	operand_range(command, &least, &most);
	if (count >= least && count <= most)
		return 0;
	if (most == 0)
		error_set(err, ERR_USAGE, "%s takes no operands", command->name);
	else
		error_set(err, ERR_USAGE, "%s takes %s%s", command->name, command->operands,
			count < least ? "" : " and no more");
	return error_hint(err, "virtx %s --help explains it", command->name);
}
