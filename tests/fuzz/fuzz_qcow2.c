/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzer: any bytes as the beginning of a qcow2 image, which a guest's owner may have written. */
#include "base/str.h"
#include "storage/qcow2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct qcow2_header header;

	if (size > QCOW2_HEADER_MAX)
		return 0;
	if (qcow2_parse(data, size, &header, &err) < 0) {
		must(err.code == ERR_STORAGE && err.message[0]);
		return 0;
	}
	must(header.size <= INT64_MAX);
	must(str_is_utf8(header.backing_file) && str_is_utf8(header.backing_format) &&
		str_is_utf8(header.data_file));
	return 0;
}
