/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of a qcow2 image: what it says about other files, read by ourselves, because qemu-img
 * would open them before anyone could object. Format: QEMU, docs/interop/qcow2.txt.
 */
#ifndef STORAGE_QCOW2_H
#define STORAGE_QCOW2_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QCOW2_HEADER_MAX 65536 /* what is read of an image; nothing QEMU writes is longer */
#define QCOW2_NAME_SIZE  1024

struct qcow2_header {
	uint64_t size;                      /* of the virtual disk, bytes */
	char backing_file[QCOW2_NAME_SIZE]; /* "" without one */
	char backing_format[16];            /* "" when it is not said */
	bool external_data;
	char data_file[QCOW2_NAME_SIZE];
};

/* Reads the first len bytes of an image. -1 with ERR_STORAGE for anything but a sound header of an
 * image that is not encrypted. */
int qcow2_parse(const uint8_t *data, size_t len, struct qcow2_header *header, struct error *err);

#endif
