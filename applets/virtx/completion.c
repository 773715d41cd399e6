/* SPDX-License-Identifier: GPL-2.0-or-later */
/* completion: small scripts for the shells, which ask the hidden command complete for everything.
 */
#include "base/str.h"
#include "command.h"

static const char bash_script[] =
	"# bash completion for virtx; put it into bash-completion/completions/virtx\n"
	"_virtx() {\n"
	"	local line\n"
	"	COMPREPLY=()\n"
	"	while IFS= read -r line; do\n"
	"		if [[ $line == :files ]]; then\n"
	"			compopt -o default\n"
	"			return\n"
	"		fi\n"
	"		COMPREPLY+=(\"$(printf %q \"${line%%$'\\t'*}\")\")\n"
	"	done < <(\"$1\" complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _virtx virtx\n";

static const char zsh_script[] =
	"#compdef virtx\n"
	"# zsh completion for virtx; put it into a folder of fpath as _virtx\n"
	"_virtx() {\n"
	"	local line\n"
	"	local -a found shown\n"
	"	while IFS= read -r line; do\n"
	"		if [[ $line == :files ]]; then\n"
	"			_files\n"
	"			return\n"
	"		fi\n"
	"		found+=(\"${line%%$'\\t'*}\")\n"
	"		shown+=(\"${line/$'\\t'/  -- }\")\n"
	"	done < <(\"${words[1]}\" complete -- \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)\n"
	"	compadd -l -d shown -a found\n"
	"}\n"
	"if [[ $funcstack[1] == _virtx ]]; then\n"
	"	_virtx \"$@\"\n"
	"else\n"
	"	compdef _virtx virtx\n"
	"fi\n";

static const char fish_script[] =
	"# fish completion for virtx; put it into fish/vendor_completions.d/virtx.fish\n"
	"function __virtx_complete\n"
	"	set -l words (commandline -opc)\n"
	"	set -l current (commandline -ct)\n"
	"	for line in ($words[1] complete -- $words[2..-1] \"$current\" 2>/dev/null)\n"
	"		if test \"$line\" = :files\n"
	"			__fish_complete_path \"$current\"\n"
	"		else\n"
	"			printf '%s\\n' $line\n"
	"		end\n"
	"	end\n"
	"end\n"
	"complete -c virtx -f -a '(__virtx_complete)'\n";

static int run(struct client *client, struct error *err)
{
	static const struct {
		const char *shell;
		const char *script;
	} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		if (str_equal(client->options.operands[0], scripts[i].shell)) {
			fputs(scripts[i].script, client->out);
			return 0;
		}
	}
	return error_set(err, ERR_USAGE,
		"there is no completion for \"%s\", only for bash, zsh and fish",
		client->options.operands[0]);
}

const struct command completion_command = {
	.name = "completion",
	.operands = "SHELL",
	.summary = "Print the completion script for bash, zsh or fish",
	.example = "source <(virtx completion bash)\n"
		   "virtx completion fish >~/.config/fish/completions/virtx.fish",
	.completes = {COMPLETE_SHELL, COMPLETE_NOTHING},
	.run = run,
};
