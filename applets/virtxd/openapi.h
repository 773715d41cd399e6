/* SPDX-License-Identifier: GPL-2.0-or-later */
/* openapi.yaml, as it was when this was built. */
#ifndef VIRTXD_OPENAPI_H
#define VIRTXD_OPENAPI_H

#include <stddef.h>

/* openapi_yaml_len bytes, with a NUL behind them. */
extern const char openapi_yaml[];
extern const size_t openapi_yaml_len;

#endif
