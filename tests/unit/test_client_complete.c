/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Completions: candidates for every place of a command line, and the scripts for the shells. */
#include "client_fixture.h"

#include "base/process.h"

/* Candidates for a line (the last word, maybe empty, is completed), without descriptions. */
static const char *candidates(const char *line)
{
	static char names[4096];
	cleanup_free char *words = xasprintf("complete -- %s", line);
	char *rest, *candidate;
	size_t used = 0;

	assert_int_equal(run_client(words), 0);
	assert_string_equal(fixture.log, "");
	names[0] = '\0';
	rest = fixture.out;
	while ((candidate = strsep(&rest, "\n")) && *candidate) {
		candidate[strcspn(candidate, "\t")] = '\0';
		used += (size_t)snprintf(
			names + used, sizeof(names) - used, "%s%s", used ? " " : "", candidate);
		assert_true(used < sizeof(names));
	}
	return names;
}

static void test_words(void **state)
{
	static const char *const cases[][2] = {
		{"l", "list"},
		{"list ", "vm host operation"},
		{"list v", "vm"},
		{"re", "reboot resume register"},
		{"get ", "vm host runstate definition xml operation migrate"},
		{"get runstate ", "vm"},
		{"abort ", "migrate"},
		{"nonsense ", ""},
		{"help li", "list"},
		{"help list ", "vm host operation"},
		{"comp", "completion"},
		{"completion ", "bash zsh fish"},
		{"completion bash ", ""},
		{"-A host:1 list h", "host"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(candidates(cases[i][0]), cases[i][1]);
}

static void test_options_and_their_values(void **state)
{
	static const char *const cases[][2] = {
		{"list vm --", "--name --host --state --vlanid --custom-name --custom-value "
			       "--api-server --output --no-headers --debug --help --version"},
		{"list vm --st", "--state"},
		{"shutdown vm --fo", "--force"},
		{"--out", "--output"},
		{"list vm -s r", "running"},
		{"list vm --state p", "poweroff paused pmsuspended"},
		{"list vm --state=p", "--state=poweroff --state=paused --state=pmsuspended"},
		/* As bash takes it apart. */
		{"list vm --state = r", "running"},
		{"list vm --output =", "table json yaml name"},
		{"list host --state ", "invalid active left failed"},
		{"list vm -o y", "yaml"},
		{"create vm --virt-type ", "kvm qemu"},
		{"create vm --arch a", "aarch64"},
		{"create vm ", ":files"},
		{"create vm x ", ""},
		{"boot vm db --ci-userdata ", ":files"},
		{"list vm --nonsense=", ""},
		{"list vm --name ", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(candidates(cases[i][0]), cases[i][1]);
}

static void test_live_names(void **state)
{
	(void)state;
	answer_with("GET", "/vms", 200, "vms.json");
	answer_with("GET", "/hosts", 200, "hosts.json");
	answer_with("GET", "/operations?all=true", 200, "operations.json");
	/* A name with control characters is no candidate. */
	assert_string_equal(
		candidates("boot vm "), "db web web \xe6\x95\xb0\xe6\x8d\xae\xe5\xba\x93");
	assert_string_equal(candidates("boot vm d"), "db");
	assert_string_equal(candidates("boot vm db d"), "db");
	assert_string_equal(candidates("get definition vm db "), "");
	assert_string_equal(candidates("boot vm 1111"),
		"11111111-2222-4333-8444-555555555555 11111111-aaaa-4333-8444-555555555555");
	assert_string_equal(candidates("update vm db "), ":files");
	assert_string_equal(candidates("get host virt"), "virt1 virt2");
	assert_string_equal(candidates("create vm x.json -h "), "virt1 virt2");
	assert_string_equal(candidates("migrate vm db --host=virt2"), "--host=virt2");
	assert_string_equal(candidates("get operation 5"), "5f0c0000-0000-4000-8000-000000000001");
	assert_true(run_client("complete -- boot vm d") == 0 &&
		    str_equal(fixture.out, "db\t11111111-2222-4333-8444-555555555555\n"));
}

static void test_silence_when_it_fails(void **state)
{
	(void)state;
	answer_with("GET", "/vms", 503, "{\"detail\": \"away\"}");
	answer_with("GET", "/hosts", 200, "no json");
	assert_string_equal(candidates("boot vm "), "");
	assert_string_equal(candidates("get host "), "");
	answer_with("GET", "/operations?all=true", 200, "{\"items\": 7}");
	assert_string_equal(candidates("get operation "), "");
	assert_int_equal(run_client("-A 127.0.0.1:1 complete -- boot vm "), 0);
	assert_string_equal(fixture.out, "");
	assert_string_equal(fixture.log, "");
}

/* The server that the line names is the one that is asked. */
static void test_asks_the_named_server(void **state)
{
	(void)state;
	answer_with("GET", "/vms", 200, "vms.json");
	assert_string_equal(candidates("-A 127.0.0.1:1 boot vm "), "");
	assert_string_equal(fixture.requests, "");
}

static void test_scripts(void **state)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};

	(void)state;
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		cleanup_free char *line = xasprintf("completion %s", shells[i]);

		assert_int_equal(run_client(line), 0);
		assert_non_null(strstr(fixture.out, " complete -- "));
	}
}

/* bash itself, with the script, and a virtx that is our own complete in a file. */
static void test_bash_completes(void **state)
{
	static const char script[] =
		"source /dev/stdin <<<\"$1\"\n"
		"fake() { [ \"$1\" = complete ] && printf 'db\\tabout\\nd e\\n'; }\n"
		"COMP_WORDS=(fake boot vm d) COMP_CWORD=3\n"
		"_virtx fake\n"
		"printf '<%s>' \"${COMPREPLY[@]}\"\n";
	struct error err = {0};
	cleanup_free char *output = NULL;

	(void)state;
	assert_int_equal(run_client("completion bash"), 0);
	const char *const argv[] = {"bash", "-c", script, "bash", fixture.out, NULL};
	const struct process bash = {.argv = argv, .max_output = 4096, .timeout_s = 10};

	if (process_run(&bash, &output, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(output, "<db><d\\ e>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_words, fixture_reset),
		cmocka_unit_test_setup(test_options_and_their_values, fixture_reset),
		cmocka_unit_test_setup(test_live_names, fixture_reset),
		cmocka_unit_test_setup(test_silence_when_it_fails, fixture_reset),
		cmocka_unit_test_setup(test_asks_the_named_server, fixture_reset),
		cmocka_unit_test_setup(test_scripts, fixture_reset),
		cmocka_unit_test_setup(test_bash_completes, fixture_reset),
	};

	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
