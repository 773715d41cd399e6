/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit vm: the definition in the user's editor, and back when nobody changed the VM meanwhile. */
#include "base/file.h"
#include "base/str.h"
#include "command.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define EDITOR_WORDS 16

/* The editor's command line: the words of $VISUAL or $EDITOR, then the file. Cuts text up. */
static void editor_arguments(char *text, char *path, char *arguments[static EDITOR_WORDS + 2])
{
	size_t count = 0;
	char *rest = text, *word;

	while (count < EDITOR_WORDS && (word = strsep(&rest, " \t")))
		if (*word)
			arguments[count++] = word;
	arguments[count++] = path;
	arguments[count] = NULL;
}

/* Ctrl-C in the editor is the editor's: meanwhile we do not listen. */
static void ignore_interrupts(struct sigaction old[static 2])
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &ignore, &old[0]);
	sigaction(SIGQUIT, &ignore, &old[1]);
}

static void restore_interrupts(const struct sigaction old[static 2])
{
	sigaction(SIGINT, &old[0], NULL);
	sigaction(SIGQUIT, &old[1], NULL);
}

static int wait_for(pid_t pid, const char *editor, struct error *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_set(err, ERR_INTERNAL, "waiting for the editor: %m");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		error_set(err, ERR_INVALID, "cannot run the editor \"%s\"", editor);
		return error_hint(err, "set VISUAL or EDITOR");
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(err, ERR_INVALID, "the editor \"%s\" failed", editor);
	return 0;
}

/* Runs the editor on our terminal until it ends. */
static int run_editor(char *path, struct error *err)
{
	const char *editor = getenv("VISUAL");
	char *arguments[EDITOR_WORDS + 2];
	struct sigaction old[2];

	if (str_is_empty(editor))
		editor = getenv("EDITOR");
	if (str_is_empty(editor))
		editor = "vi";
	cleanup_free char *words = xstrdup(editor);

	editor_arguments(words, path, arguments);
	ignore_interrupts(old);
	pid_t pid = fork();

	if (pid == 0) {
		restore_interrupts(old);
		execvp(arguments[0], arguments);
		_exit(127);
	}
	int result = pid < 0 ? error_set(err, ERR_INTERNAL, "cannot start the editor: %m")
			     : wait_for(pid, editor, err);

	restore_interrupts(old);
	return result;
}

/* A new file with the text; its path, which the caller frees, or NULL. */
static char *write_draft(const char *text, struct error *err)
{
	const char *dir = getenv("TMPDIR");
	cleanup_free char *path =
		xasprintf("%s/virtx-XXXXXX.json", str_is_empty(dir) ? P_tmpdir : dir);
	cleanup_close int fd = mkostemps(path, 5, O_CLOEXEC);

	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0) {
		error_set(err, ERR_STORAGE, "cannot write %s: %m", path);
		return NULL;
	}
	return steal(&path);
}

/* Sends the edited definition; the VM must still be the one that was read. */
static int send_draft(struct client *client, const char *uuid, const char *etag, const char *path,
	struct error *err)
{
	cleanup_json struct json_object *def = NULL, *body = json_new_object(), *operation = NULL;
	cleanup_exchange struct http_exchange exchange = {.method = "PUT"};

	if (client_read_json(path, &def, err) < 0)
		return -1;
	json_object_object_add(body, "vmdef", json_object_get(def));
	json_add_bool(body, "deletestorage", option_count(&client->options, "storage") > 0);
	return wait_change(client, uuid, etag, &exchange, body, &operation, err);
}

static int edit_draft(struct client *client, const char *uuid, const char *etag, const char *before,
	char *path, struct error *err)
{
	size_t len;

	if (run_editor(path, err) < 0)
		return -1;
	cleanup_free char *after = client_read_file(path, &len, err);

	if (!after)
		return -1;
	if (str_equal(before, after)) {
		fputs("nothing was changed\n", client->log);
		return 0;
	}
	return send_draft(client, uuid, etag, path, err);
}

static int run(struct client *client, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "GET"};
	cleanup_json struct json_object *vm = NULL;

	if (client_exchange_id(
		    client, THING_VM, client->options.operands[0], "", &exchange, NULL, err) < 0 ||
		client_answer(&exchange, &vm, err) < 0)
		return -1;
	if (!json_at(vm, "def"))
		return error_set(err, ERR_FORWARD, "the server's answer has no definition");
	cleanup_free char *before = json_pretty(json_at(vm, "def"));
	cleanup_free char *path = write_draft(before, err);

	if (!path)
		return -1;
	if (edit_draft(client, json_text_at(vm, "uuid"), http_exchange_header(&exchange, "ETag"),
		    before, path, err) < 0) {
		client_report(client, NULL, err);
		fprintf(client->log, "your text is kept in %s\n", path);
		return 0; /* reported */
	}
	unlink(path);
	return 0;
}

static const struct option_row options[] = {
	{'s', "storage", NULL, "delete managed storage that the VM no longer uses", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command edit_vm_command = {
	.name = "edit vm",
	.operands = "ID",
	.summary = "Change a VM's definition in $VISUAL or $EDITOR",
	.details = "The VM must be off. Refused when someone else changed it meanwhile; the text "
		   "is kept then.",
	.example = "virtx edit vm web\n"
		   "EDITOR=nano virtx edit vm web",
	.options = options,
	.completes = {COMPLETE_VM, COMPLETE_NOTHING},
	.run = run,
};
