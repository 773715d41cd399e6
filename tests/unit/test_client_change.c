/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that change something: what they send, how they wait, what they say when it fails.
 */
#include "client_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>

#define UUID      "11111111-2222-4333-8444-555555555555"
#define OPERATION "/operations/5f0c0000-0000-4000-8000-000000000001"
#define MINIMAL   "examples/minimal.json"

static bool was_asked(const char *request)
{
	return strstr(fixture.requests, request) != NULL;
}

static void test_create_at_once(void **state)
{
	(void)state;
	answer_with("POST", "/vms", 201, "\"" UUID "\"");
	assert_int_equal(run_client("create vm " MINIMAL), 0);
	assert_string_equal(fixture.out, "UUID\n" UUID "\n");
	assert_true(str_starts_with(
		fixture.requests, "POST /vms {\"vmdef\":{\"name\":\"minimal\",\"cpudef\":{"));
	assert_true(was_asked(",\"host\":\"\"}\n"));
	assert_int_equal(run_client("create vm " MINIMAL " -o name --no-headers"), 0);
	assert_string_equal(fixture.out, UUID "\n");
	assert_int_equal(run_client("create vm " MINIMAL " -o json"), 0);
	assert_string_equal(fixture.out, "{\n  \"uuid\": \"" UUID "\"\n}\n");
}

static void test_create_follows_its_operation(void **state)
{
	(void)state;
	answer_times(0, "POST", "/vms", 202, "{}", "Location", OPERATION);
	answer_times(2, "GET", OPERATION, 200,
		"{\"state\": \"running\", \"kind\": \"create\", \"name\": \"minimal\","
		" \"phase\": \"images\", \"progress\": 10}",
		NULL, NULL);
	answer_with("GET", OPERATION, 200, "{\"state\": \"completed\", \"vm\": \"" UUID "\"}");
	assert_int_equal(run_client("create vm " MINIMAL), 0);
	assert_string_equal(fixture.out, "UUID\n" UUID "\n");
	/* Not a terminal: a line for each phase, not for each look. */
	assert_string_equal(fixture.log, "create minimal: images\n");
}

static void test_create_tells_why_its_operation_failed(void **state)
{
	(void)state;
	answer_times(0, "POST", "/vms", 202, "{}", "Location", OPERATION);
	answer_times(1, "GET", OPERATION, 200,
		"{\"state\": \"failed\", \"error\": {\"code\": \"not-found\", \"detail\": "
		"\"no pool\", \"hint\": \"make one\"}}",
		NULL, NULL);
	answer_with("GET", OPERATION, 200, "{\"state\": \"cancelled\", \"error\": null}");
	assert_int_equal(run_client("create vm " MINIMAL), 3);
	assert_string_equal(fixture.log, "virtx: no pool\nhint: make one\n");
	assert_string_equal(fixture.out, "");
	assert_int_equal(run_client("create vm " MINIMAL), 1);
	assert_string_equal(fixture.log, "virtx: the operation was cancelled\n");
}

static void test_create_on_a_host(void **state)
{
	(void)state;
	answer_with("GET", "/hosts", 200, "hosts.json");
	answer_with("POST", "/vms", 201, "\"" UUID "\"");
	assert_int_equal(run_client("create vm " MINIMAL " -h virt2"), 0);
	assert_true(was_asked(",\"host\":\"aaaaaaaa-0000-4000-8000-000000000002\"}\n"));
	fixture.requests[0] = '\0';
	assert_int_equal(run_client("create vm " MINIMAL " -h nohost"), 3);
	assert_false(was_asked("POST"));
}

static void test_create_checks_first(void **state)
{
	(void)state;
	answer_with("POST", "/vms?dry_run=true", 200, "{}");
	assert_int_equal(run_client("create vm " MINIMAL " --dry-run"), 0);
	assert_string_equal(fixture.out, "");
	assert_non_null(strstr(fixture.log, "nothing was done"));
	assert_int_equal(run_client("create vm no/such/file"), 1);
	assert_string_equal(
		fixture.log, "virtx: cannot open no/such/file: No such file or directory\n");
	assert_int_equal(run_client("create vm Makefile"), 1);
	assert_true(str_starts_with(fixture.log, "virtx: Makefile: "));
	assert_int_equal(run_client("create vm tests"), 1);
}

static void test_print_xml_needs_no_server(void **state)
{
	(void)state;
	assert_int_equal(run_client("-A 127.0.0.1:1 create vm tests/golden/vmdef/minimal-uefi.json "
				    "--print-xml --arch x86_64 --uuid " UUID),
		0);
	assert_non_null(strstr(fixture.out, "<uuid>" UUID "</uuid>"));
	assert_true(str_starts_with(fixture.out, "<domain type=\"kvm\">"));
	assert_int_equal(run_client("create vm tests/golden/vmdef/minimal-uefi.json --print-xml "
				    "--arch aarch64 --virt-type qemu"),
		0);
	assert_true(str_starts_with(fixture.out, "<domain type=\"qemu\">"));
	assert_int_equal(
		run_client("create vm tests/golden/vmdef/invalid-vlan.json --print-xml"), 1);
	assert_int_equal(run_client("create vm " MINIMAL " --print-xml --uuid x"), 2);
	assert_int_equal(run_client("create vm " MINIMAL " --print-xml --arch vax"), 2);
	assert_int_equal(run_client("create vm " MINIMAL " --print-xml --virt-type auto"), 2);
	assert_string_equal(fixture.requests, "");
}

static void test_update(void **state)
{
	(void)state;
	answer_with("PUT", "/vms/db", 204, NULL);
	assert_int_equal(run_client("update vm db " MINIMAL), 0);
	assert_true(was_asked(",\"deletestorage\":false}\n"));
	assert_int_equal(run_client("update vm db " MINIMAL " -s"), 0);
	assert_true(was_asked(",\"deletestorage\":true}\n"));
	assert_string_equal(fixture.out, "");
}

static void test_delete_warns(void **state)
{
	(void)state;
	answer_times(0, "DELETE", "/vms/db", 200, "", "Warning",
		"299 VirtX \"some resources could not be deleted\"");
	answer_with("DELETE", "/vms/web", 204, NULL);
	assert_int_equal(run_client("delete vm db web"), 0);
	assert_string_equal(fixture.log, "virtx: warning: some resources could not be deleted\n");
	assert_true(was_asked("DELETE /vms/db {\"deletestorage\":false}\n"));
	assert_int_equal(run_client("delete vm web -s --yes"), 0);
	assert_true(was_asked("DELETE /vms/web {\"deletestorage\":true}\n"));
	/* As an operation it is in the record. */
	answer_times(0, "DELETE", "/vms/slow", 202, "{}", "Location", OPERATION);
	answer_with("GET", OPERATION, 200, "{\"state\":\"completed\",\"warning\":\"it is left\"}");
	assert_int_equal(run_client("delete vm slow"), 0);
	assert_string_equal(fixture.log, "virtx: warning: it is left\n");
}

static void test_lifecycle(void **state)
{
	static const char *const cases[][2] = {
		{"boot vm db", "POST /vms/db/runstate/boot {\"cloud_init\":[]}\n"},
		{"shutdown vm db", "DELETE /vms/db/runstate/boot {\"force\":0}\n"},
		{"shutdown vm db -f", "DELETE /vms/db/runstate/boot {\"force\":1}\n"},
		{"shutdown vm db -fff", "DELETE /vms/db/runstate/boot {\"force\":2}\n"},
		{"reboot vm db", "POST /vms/db/runstate/reboot {\"force\":0}\n"},
		{"reboot vm db -f --force", "POST /vms/db/runstate/reboot {\"force\":1}\n"},
		{"pause vm db", "POST /vms/db/runstate/pause\n"},
		{"resume vm db", "DELETE /vms/db/runstate/pause\n"},
		{"abort migrate vm db", "DELETE /vms/db/runstate/migrate\n"},
		{"migrate vm db", "POST /vms/db/runstate/migrate "
				  "{\"host\":\"\",\"migration_type\":0}\n"},
		{"migrate vm db -l -h virt2", "GET /hosts\nPOST /vms/db/runstate/migrate "
					      "{\"host\":\"aaaaaaaa-0000-4000-8000-000000000002\","
					      "\"migration_type\":1}\n"},
		{"cancel operation 5f0c", "DELETE /operations/5f0c\n"},
	};

	(void)state;
	answer_with("GET", "/hosts", 200, "hosts.json");
	answer_with("POST", "/vms/db/runstate/boot", 204, NULL);
	answer_with("DELETE", "/vms/db/runstate/boot", 202, NULL);
	answer_with("POST", "/vms/db/runstate/reboot", 204, NULL);
	answer_with("POST", "/vms/db/runstate/pause", 204, NULL);
	answer_with("DELETE", "/vms/db/runstate/pause", 204, NULL);
	answer_with("POST", "/vms/db/runstate/migrate", 202, NULL);
	answer_with("DELETE", "/vms/db/runstate/migrate", 204, NULL);
	answer_with("DELETE", "/operations/5f0c", 202, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fixture.requests[0] = '\0';
		assert_int_equal(run_client(cases[i][0]), 0);
		assert_string_equal(fixture.requests, cases[i][1]);
		assert_string_equal(fixture.out, "");
		assert_string_equal(fixture.log, "");
	}
}

static void test_cloud_init(void **state)
{
	(void)state;
	answer_with("POST", "/vms/db/runstate/boot", 204, NULL);
	assert_int_equal(run_client("boot vm db -u examples/minimal.json"), 0);
	assert_true(was_asked("{\"cloud_init\":[{\"name\":\"ci-userdata\",\"value\":\"{\\n"));
	fixture.requests[0] = '\0';
	assert_int_equal(run_client("boot vm db -m no-such-file"), 1);
	/* Not text: refused here, not by the server. */
	assert_int_equal(run_client("boot vm db -c tests/fuzz/corpus/config/nul"), 1);
	assert_int_equal(run_client("boot vm db -c tests/fuzz/corpus/config/not-utf8"), 1);
	assert_string_equal(fixture.requests, "");
}

static void test_waits(void **state)
{
	(void)state;
	answer_with("POST", "/vms/db/runstate/boot", 204, NULL);
	answer_with("DELETE", "/vms/db/runstate/boot", 202, NULL);
	answer_times(
		2, "GET", "/vms/db/runstate", 200, "{\"runstate\": 2, \"host\": \"\"}", NULL, NULL);
	answer_times(
		0, "GET", "/vms/db/runstate", 200, "{\"runstate\": 4, \"host\": \"\"}", NULL, NULL);
	assert_int_equal(run_client("boot vm db --wait"), 0);
	assert_string_equal(fixture.log, "db is poweroff, not running yet\n");
	/* It never goes off: the deadline ends it, and says what it saw. */
	assert_int_equal(run_client("shutdown vm db --wait --timeout 1s"), 5);
	assert_string_equal(fixture.log, "db is running, not poweroff yet\n"
					 "virtx: timed out: db is running, not poweroff yet\n"
					 "hint: it may still happen; --timeout waits longer\n");
	assert_int_equal(run_client("shutdown vm db --wait --timeout soon"), 2);
}

#define MOVE "/operations/5f0c0000-0000-4000-8000-000000000001"

static void answer_move(int status, const char *state)
{
	answer_times(1, "GET", MOVE, status, state, NULL, NULL);
}

static void test_follows_migrations(void **state)
{
	static const char begun[] = "{\"host\": \"virt2\", \"uuid\": \"\", \"operation\": \"\"}",
			  running[] = "{\"state\": \"running\", \"progress\": 30}",
			  done[] = "{\"state\": \"completed\"}",
			  away[] = "{\"status\": 503, \"code\": \"unavailable\", \"detail\": \"\"}",
			  failed[] =
				  "{\"state\": \"failed\", \"error\": {\"code\": \"hypervisor\", "
				  "\"detail\": \"no route\", \"hint\": \"plug it in\"}}";

	(void)state;
	answer_times(3, "POST", "/vms/db/runstate/migrate", 202, begun, "Location", MOVE);
	/* The daemon that moves it restarts meanwhile. */
	answer_move(200, running);
	answer_move(503, away);
	answer_move(200, running);
	answer_move(200, done);
	assert_int_equal(run_client("migrate vm db -l --wait --no-headers"), 0);
	assert_string_equal(fixture.log, "moving db to virt2\n");
	assert_true(str_starts_with(fixture.out, "virt2 "));
	/* What an earlier one came to is not looked at. */
	assert_false(was_asked("GET /vms/db/runstate/migrate\n"));
	answer_move(200, failed);
	assert_int_equal(run_client("migrate vm db -l --wait"), 1);
	assert_string_equal(fixture.log, "virtx: migration to virt2: no route\nhint: plug it in\n");
	/* Nobody knows it any more. */
	assert_int_equal(run_client("migrate vm db -l --wait"), 3);
	/* Another implementation tells nothing. */
	answer_times(1, "POST", "/vms/old/runstate/migrate", 202, NULL, NULL, NULL);
	assert_int_equal(run_client("migrate vm old -l --wait"), 1);
	assert_non_null(strstr(fixture.log, "names no operation"));
}

static void test_tries_migrations(void **state)
{
	(void)state;
	answer_with("POST", "/vms/db/runstate/migrate?dry_run=true", 200,
		"{\"host\": \"virt3\", \"hosts\": ["
		"{\"host\": \"virt2\", \"ok\": false, \"code\": \"capacity\", \"detail\": \"host "
		"virt2: "
		"too little\", \"memoryavailable\": 64, \"cpuavailable\": 100, \"vms\": 2},"
		"{\"host\": \"virt3\", \"ok\": true, \"code\": \"\", \"detail\": \"\", "
		"\"memoryavailable\": 4096, \"cpuavailable\": 8000, \"vms\": 0}]}");
	assert_int_equal(run_client("migrate vm db -l --dry-run --wait"), 0);
	assert_string_equal(fixture.out,
		"HOST   FITS  MEMORY  CPU     VMS  REASON\n"
		"virt2  no    64M     100MHz  2    host virt2: too little\n"
		"virt3  best  4G      8GHz    0    -\n");
	assert_int_equal(run_client("migrate vm db -l --dry-run -o name"), 0);
	assert_string_equal(fixture.out, "virt2\nvirt3\n");
}

static void test_register(void **state)
{
	(void)state;
	answer_with("GET", "/hosts", 200, "hosts.json");
	answer_with("PUT", "/vms/" UUID "/register", 201, NULL);
	answer_with("PUT", "/vms/db/register", 200, NULL);
	assert_int_equal(run_client("register vm " UUID " -h virt1"), 0);
	assert_string_equal(fixture.log, "defined in libvirt from the register\n");
	assert_true(was_asked("PUT /vms/" UUID "/register "
			      "{\"host\":\"aaaaaaaa-0000-4000-8000-000000000001\"}\n"));
	assert_int_equal(run_client("register vm db -h virt1"), 0);
	assert_string_equal(fixture.log, "register entry rewritten from libvirt\n");
}

#define UUID2 "22222222-2222-4333-8444-555555555555"
#define UUID3 "33333333-2222-4333-8444-555555555555"
#define DEAD  "/hosts/dddddddd-0000-4000-8000-000000000009"

/* All VMs of a host that died: one fails, one is gone, the rest goes on. */
static void test_register_from_host(void **state)
{
	static const char list[] =
		"{\"items\":["
		"{\"uuid\":\"" UUID "\",\"name\":\"web\",\"operation\":\"boot\"},"
		"{\"uuid\":\"" UUID2 "\",\"name\":\"db\",\"operation\":\"\"},"
		"{\"uuid\":\"" UUID3 "\",\"name\":\"\",\"operation\":\"delete\"}]}";
	static const char problem[] =
		"{\"status\":424,\"code\":\"register\",\"detail\":"
		"\"its lease is in use: VM web, running on virt9\",\"hint\":\"wait\"}";

	(void)state;
	answer_with("GET", "/hosts", 200, "hosts.json");
	answer_with("GET", DEAD "/register", 200, list);
	answer_with("PUT", "/vms/" UUID "/register", 424, problem);
	answer_with("PUT", "/vms/" UUID2 "/register", 201, NULL);
	answer_with("PUT", "/vms/" UUID3 "/register", 204, NULL);
	const char *line = "register vm -h virt1 --from-host dddddddd-0000-4000-8000-000000000009";
	assert_int_equal(run_client(line), 1);
	assert_string_equal(fixture.log,
		"1/3 web (" UUID "): not registered\n"
		"2/3 db (" UUID2 "): defined in libvirt from the register\n"
		"3/3 " UUID3 ": there is no such VM any more\n"
		"1 of 3 VMs were not registered:\n"
		"virtx: web (" UUID "): its lease is in use: VM web, running on virt9\n"
		"hint: wait\n");
	assert_true(was_asked("PUT /vms/" UUID2 "/register "
			      "{\"host\":\"aaaaaaaa-0000-4000-8000-000000000001\"}\n"));
	cleanup_free char *dry = xasprintf("%s --dry-run", line);
	fixture_reset(state);
	answer_with("GET", "/hosts", 200, "hosts.json");
	answer_with("GET", DEAD "/register", 200, list);
	assert_int_equal(run_client(dry), 0);
	assert_string_equal(fixture.out,
		"UUID                                  NAME  BEGUN\n" UUID "  web   boot\n" UUID2
		"  db    -\n" UUID3 "  -     delete\n");
	assert_false(was_asked("PUT "));
	fixture_reset(state);
	answer_with("GET", "/hosts", 200, "hosts.json");
	answer_with("GET", DEAD "/register", 200, "{\"items\":[]}");
	assert_int_equal(run_client(line), 0);
	assert_string_equal(fixture.log, "the register of that host is empty\n");
}

/* A terminal: what one side writes the other one reads, unchanged. */
static void open_terminal(int *outside, int *inside)
{
	struct termios settings;

	*outside = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*outside >= 0 && grantpt(*outside) == 0 && unlockpt(*outside) == 0);
	*inside = open(ptsname(*outside), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*inside >= 0 && tcgetattr(*inside, &settings) == 0);
	cfmakeraw(&settings);
	assert_int_equal(tcsetattr(*inside, TCSANOW, &settings), 0);
}

/* On a terminal the progress is one line that is written again and again, and taken away at the
 * end. */
static void test_progress_on_a_terminal(void **state)
{
	char *argv[] = {(char *)(uintptr_t) "virtx", (char *)(uintptr_t) "create",
		(char *)(uintptr_t) "vm", (char *)(uintptr_t)MINIMAL};
	char text[1024] = "";
	int outside, inside;
	size_t used = 0;
	ssize_t len;

	(void)state;
	open_terminal(&outside, &inside);
	FILE *out = fopen("/dev/null", "we"), *log = fdopen(inside, "w");

	answer_times(0, "POST", "/vms", 202, "{}", "Location", OPERATION);
	answer_times(3, "GET", OPERATION, 200,
		"{\"state\": \"running\", \"kind\": \"create\", \"name\": \"minimal\","
		" \"phase\": \"images\", \"progress\": 10}",
		NULL, NULL);
	answer_with("GET", OPERATION, 200, "{\"state\": \"completed\", \"vm\": \"" UUID "\"}");
	assert_int_equal(client_run(4, argv, out, log), 0);
	fclose(log);
	/* The terminal gives it in pieces, and an error when the other side is closed. */
	while (used < sizeof(text) - 1 &&
		(len = read(outside, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)len;
	assert_string_equal(text, "\r\033[Kcreate minimal: images 10%"
				  "\r\033[Kcreate minimal: images 10%"
				  "\r\033[K");
	fclose(out);
	close(outside);
}

static void test_delete_asks_on_a_terminal(void **state)
{
	int outside, inside, saved = dup(STDIN_FILENO);

	(void)state;
	answer_with("DELETE", "/vms/db", 204, NULL);
	open_terminal(&outside, &inside);
	assert_int_equal(dup2(inside, STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(write(outside, "n\n", 2), 2);
	assert_int_equal(run_client("delete vm db -s"), 1);
	assert_string_equal(
		fixture.log, "Delete VM db and its managed storage? [y/N] virtx: not deleted\n");
	assert_string_equal(fixture.requests, "");
	assert_int_equal(write(outside, "y\n", 2), 2);
	assert_int_equal(run_client("delete vm db -s"), 0);
	assert_true(was_asked("DELETE /vms/db {\"deletestorage\":true}\n"));
	/* Without --storage nothing is lost, so nothing is asked. */
	assert_int_equal(run_client("delete vm db"), 0);
	assert_string_equal(fixture.log, "");
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(inside);
	close(outside);
}

/* An editor: a script that does body to the file $1. Its path is set as EDITOR. */
static void use_editor(const char *body)
{
	static char path[] = P_tmpdir "/virtx-editor-XXXXXX";
	static bool made;
	struct error err = {0};
	cleanup_free char *text = xasprintf("#!/bin/sh\n%s\n", body);

	if (!made)
		close(mkstemp(path));
	made = true;
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0700, &err), 0);
	unsetenv("VISUAL");
	setenv("EDITOR", path, 1);
}

static void test_edit(void **state)
{
	(void)state;
	answer_times(0, "GET", "/vms/db", 200, "vm.json", "ETag", "\"e1\"");
	answer_with("PUT", "/vms/" UUID, 204, NULL);
	use_editor("sed -i 's/8192/4096/' \"$1\"");
	assert_int_equal(run_client("edit vm db"), 0);
	assert_string_equal(fixture.log, "");
	assert_true(was_asked("PUT /vms/" UUID " {\"vmdef\":{\"name\":\"db\","));
	assert_true(was_asked("\"memory\":{\"total\":4096,"));
	assert_true(was_asked("If-Match: \"e1\"\n"));
	fixture.requests[0] = '\0';
	use_editor("true");
	assert_int_equal(run_client("edit vm db"), 0);
	assert_string_equal(fixture.log, "nothing was changed\n");
	assert_false(was_asked("PUT"));
}

/* The path that the client tells when it keeps the text; the file is removed. */
static void assert_text_is_kept(const char *expected)
{
	static const char mark[] = "your text is kept in ";
	struct error err = {0};
	char *path = strstr(fixture.log, mark);

	assert_non_null(path);
	path = xstrndup(path + strlen(mark), strcspn(path + strlen(mark), "\n"));
	cleanup_free char *text = file_read(path, 1 << 20, NULL, &err);
	struct stat info;

	assert_non_null(text);
	assert_non_null(strstr(text, expected));
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(unlink(path), 0);
	free(path);
}

static void test_edit_keeps_the_text(void **state)
{
	(void)state;
	answer_times(0, "GET", "/vms/db", 200, "vm.json", "ETag", "\"e1\"");
	answer_with("PUT", "/vms/" UUID, 412,
		"{\"code\": \"changed\", \"detail\": \"someone else changed it\"}");
	use_editor("sed -i 's/8192/4096/' \"$1\"");
	assert_int_equal(run_client("edit vm db"), 1);
	assert_non_null(strstr(fixture.log, "virtx: someone else changed it\n"));
	assert_text_is_kept("4096");
	use_editor("echo nonsense >\"$1\"");
	assert_int_equal(run_client("edit vm db"), 1);
	assert_text_is_kept("nonsense");
	use_editor("exit 3");
	assert_int_equal(run_client("edit vm db"), 1);
	assert_text_is_kept("8192");
	setenv("EDITOR", "/no/such/editor --wait", 1);
	assert_int_equal(run_client("edit vm db"), 1);
	assert_non_null(
		strstr(fixture.log, "virtx: cannot run the editor \"/no/such/editor --wait\"\n"
				    "hint: set VISUAL or EDITOR\n"));
	assert_text_is_kept("8192");
}

static int remove_editor(void **state)
{
	const char *editor;

	use_editor("true");
	editor = getenv("EDITOR");
	return fixture_stop(state) == 0 && unlink(editor) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_create_at_once, fixture_reset),
		cmocka_unit_test_setup(test_create_follows_its_operation, fixture_reset),
		cmocka_unit_test_setup(test_create_tells_why_its_operation_failed, fixture_reset),
		cmocka_unit_test_setup(test_create_on_a_host, fixture_reset),
		cmocka_unit_test_setup(test_create_checks_first, fixture_reset),
		cmocka_unit_test_setup(test_print_xml_needs_no_server, fixture_reset),
		cmocka_unit_test_setup(test_update, fixture_reset),
		cmocka_unit_test_setup(test_delete_warns, fixture_reset),
		cmocka_unit_test_setup(test_lifecycle, fixture_reset),
		cmocka_unit_test_setup(test_cloud_init, fixture_reset),
		cmocka_unit_test_setup(test_waits, fixture_reset),
		cmocka_unit_test_setup(test_follows_migrations, fixture_reset),
		cmocka_unit_test_setup(test_tries_migrations, fixture_reset),
		cmocka_unit_test_setup(test_register, fixture_reset),
		cmocka_unit_test_setup(test_register_from_host, fixture_reset),
		cmocka_unit_test_setup(test_progress_on_a_terminal, fixture_reset),
		cmocka_unit_test_setup(test_delete_asks_on_a_terminal, fixture_reset),
		cmocka_unit_test_setup(test_edit, fixture_reset),
		cmocka_unit_test_setup(test_edit_keeps_the_text, fixture_reset),
	};

	return cmocka_run_group_tests(tests, fixture_start, remove_editor);
}
