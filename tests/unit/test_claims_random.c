/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host that changes at random, and whose words are lost, late and out of order: soon after the
 * last change the picture of it is right. */
#include "claims_fixture.h"

static uint64_t seed = 4;

static unsigned dice(unsigned sides)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 40) % sides;
}

#define N_VMS 40

/* A host as it is: its VMs, runstate NONE for one that it has not. */
struct truth {
	struct wire_vm vms[N_VMS];
	struct wire_stamp stamp;
	struct digest digest;
};

/* What was sent and has not arrived. */
static struct wire_vm late[64];
static size_t n_late;

static void arrive(size_t at)
{
	struct wire_event event = {.runstate = late[at].row.runstate,
		.ts_ms = late[at].row.ts_ms,
		.stamp = late[at].stamp};

	memcpy(event.uuid, late[at].row.uuid, sizeof(event.uuid));
	memcpy(event.host_uuid, late[at].row.host_uuid, sizeof(event.host_uuid));
	if (event.runstate == RUNSTATE_DELETED || dice(2))
		claims_hear_event(claims, &event, now);
	else
		claims_hear_vm(claims, &late[at], now);
	late[at] = late[--n_late];
}

/* A third is lost, the others arrive whenever. */
static void send_away(const struct wire_vm *vm)
{
	if (dice(3) == 0)
		return;
	if (n_late == sizeof(late) / sizeof(late[0]))
		arrive(dice((unsigned)n_late));
	late[n_late++] = *vm;
}

static void change(struct truth *truth)
{
	struct wire_vm *vm = &truth->vms[dice(N_VMS)];

	if (vm->row.runstate != RUNSTATE_NONE)
		digest_remove(&truth->digest, wire_vm_hash(&vm->row));
	truth->stamp.generation++;
	vm->stamp = truth->stamp;
	vm->row.ts_ms = (int64_t)dice(100000); /* a clock that nobody can trust */
	vm->row.runstate = (enum runstate)(RUNSTATE_DELETED + dice(5));
	send_away(vm);
	if (vm->row.runstate == RUNSTATE_DELETED)
		vm->row.runstate = RUNSTATE_NONE;
	else
		digest_add(&truth->digest, wire_vm_hash(&vm->row));
}

static void say_truth(const struct truth *truth)
{
	struct wire_host host =
		host_of(HOST_A, truth->stamp.boot_id, truth->stamp.generation, now, truth->digest);

	claims_hear_host(claims, &host, now);
}

static void answer_pulls(const struct truth *truth, bool may_fail)
{
	char hosts[100][UUID_TEXT_SIZE];
	struct wire_vm vms[N_VMS];
	struct wire_host host =
		host_of(HOST_A, truth->stamp.boot_id, truth->stamp.generation, now, truth->digest);
	size_t count = 0;

	if (pulls(hosts) == 0)
		return;
	if (may_fail && dice(4) == 0) {
		claims_fail_pull(claims, HOST_A, now);
		return;
	}
	for (size_t i = 0; i < N_VMS; i++)
		if (truth->vms[i].row.runstate != RUNSTATE_NONE)
			vms[count++] = truth->vms[i];
	claims_finish_pull(claims, &host, vms, count, now);
}

static void assert_true_picture(const struct truth *truth)
{
	for (size_t i = 0; i < N_VMS; i++)
		assert_int_equal(
			place_of(truth->vms[i].row.uuid).runstate, truth->vms[i].row.runstate);
}

/* Messages lost, late and out of order, restarts: soon after the last one the picture is right. */
static void test_convergence(void **state)
{
	struct truth truth = {.stamp = {.extended = true, .boot_id = 1}};
	char uuids[N_VMS][UUID_TEXT_SIZE], names[N_VMS][8];

	(void)state;
	/* Names differ: sums of FNV-1a can be equal when two VMs of one name swap their states. */
	for (unsigned i = 0; i < N_VMS; i++) {
		snprintf(uuids[i], sizeof(uuids[i]), "00000000-0000-4000-8000-%012u", i);
		snprintf(names[i], sizeof(names[i]), "vm%u", i);
		truth.vms[i] = vm_of(uuids[i], HOST_A, names[i], RUNSTATE_NONE, 1, 0, 1);
	}
	for (int round = 0; round < 200; round++) {
		for (unsigned steps = dice(60); steps > 0; steps--) {
			if (dice(100) == 0)
				truth.stamp = (struct wire_stamp){
					.extended = true, .boot_id = truth.stamp.boot_id + 1};
			if (dice(3))
				change(&truth);
			if (n_late && dice(2))
				arrive(dice((unsigned)n_late));
			if (dice(20) == 0)
				say_truth(&truth);
			now += dice(500);
			answer_pulls(&truth, true);
			claims_tick(claims, now);
		}
		/* Quiet: what is late may still come, two HI, and time for one pull. */
		while (n_late && dice(5))
			arrive(dice((unsigned)n_late));
		n_late = 0;
		for (int i = 0; i < 40; i++) {
			if (i % 5 == 0)
				say_truth(&truth);
			now += 3000;
			answer_pulls(&truth, false);
		}
		assert_true_picture(&truth);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_convergence, begin, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
