/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that may never return (a stopped QEMU process blocks libvirt's), made
 * in a thread that can be left behind.
 */
#ifndef BASE_DEADLINE_H
#define BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Runs run(argument) in a thread of its own and waits at most timeout_ms. True: it has
 * returned and the argument is the caller's again. False: it was left behind (or no thread could be
 * started) and the argument must not be touched any more; discard(argument) is called when it
 * returns, in that thread.
 */
bool deadline_run(void (*run)(void *argument), void (*discard)(void *argument), void *argument,
	unsigned timeout_ms);

#endif
