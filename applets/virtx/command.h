/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of the client: one row each, in the file that implements it, collected in
 * commands.c. Parser, help, manual and completions read the rows. HACKING.md tells how to add one.
 */
#ifndef VIRTX_COMMAND_H
#define VIRTX_COMMAND_H

#include "base/option.h"
#include "client.h"
#include "output.h"

/* What an operand or the value of an option can be, for completions. */
enum complete {
	COMPLETE_NOTHING,
	COMPLETE_VM,
	COMPLETE_HOST,
	COMPLETE_OPERATION,
	COMPLETE_FILE,
	COMPLETE_RUNSTATE,
	COMPLETE_CSTATE,
	COMPLETE_OUTPUT,
	COMPLETE_SHELL,
	COMPLETE_ARCH,
	COMPLETE_VIRT_TYPE,
	COMPLETE_COMMAND,
};

#define COMMAND_OPERANDS 2

struct command {
	const char *name; /* "list vm" */
	const char
		*operands; /* as in the usage: "ID FILE", "ID..." (one or more), "[WORD...]", "" */
	const char *summary;              /* one phrase without period */
	const char *details;              /* further sentences; NULL: none */
	const char *example;              /* one command on each line */
	const struct option_row *options; /* of its own; NULL: none */
	/* Of each operand; of further ones the last. */
	enum complete completes[COMMAND_OPERANDS];
	bool hidden; /* not in help and manual */
	/* One of the two. */
	int (*run)(struct client *client, struct error *err);
	/*
	 * Called for each operand; a failure is reported and the next one is tried. What it puts
	 * into *result (NULL at first) the caller puts; it is printed at the end by the view, but
	 * for a failure.
	 */
	int (*each)(struct client *client, const char *id, struct json_object **result,
		struct error *err);
	/* How results become tables; NULL when there are none. */
	const struct view *(*view)(const struct client *client);
};

/* All of them, ended by NULL. */
extern const struct command *const commands[];
/* Options that every command takes. */
extern const struct option_row global_options[];

/* The command with that name in words; NULL when there is none. */
const struct command *command_find(char *const *words, size_t count);
/* True when the words are the start of the command's name, or all of it. */
bool command_starts_with(const struct command *command, char *const *words, size_t count);
/* One word of its name; "" when it has not so many. */
#define COMMAND_WORD_SIZE 32
void command_word(const struct command *command, size_t index, char word[static COMMAND_WORD_SIZE]);
/* ERR_USAGE for words that start no command, with the nearest one as hint. */
int command_unknown(char *const *words, size_t count, struct error *err);
/* ERR_USAGE when there are fewer or more operands than its usage says. */
int command_check_operands(const struct command *command, size_t count, struct error *err);

/* The most that it takes, SIZE_MAX when there is no limit. */
size_t command_max_operands(const struct command *command);

/* Usage, options and examples of one command. Returns 0. */
int help_print_command(const struct command *command, FILE *out);
/* The same for words that name a command; the list of those that they start, of all for no words.
 * ERR_USAGE. */
int help_print(char *const *words, size_t count, FILE *out, struct error *err);

extern const struct command list_vm_command, list_host_command, list_operation_command;
extern const struct command get_vm_command, get_host_command, get_runstate_command, get_xml_command,
	get_definition_command, get_migrate_command, get_operation_command;
extern const struct command create_vm_command, update_vm_command, edit_vm_command,
	delete_vm_command, register_vm_command;
extern const struct command boot_vm_command, shutdown_vm_command, reboot_vm_command,
	pause_vm_command, resume_vm_command;
extern const struct command migrate_vm_command, abort_migrate_vm_command;
extern const struct command drain_host_command, undrain_host_command;
extern const struct command cancel_operation_command, console_vm_command, status_command,
	version_command, completion_command, complete_command, help_command, fsck_command;

#endif
