/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts openapi.yaml into the executable: the assembler reads it from the folder that make runs in.
 */
#include "openapi.h"

__asm__(".section .rodata\n"
	".global openapi_yaml\n"
	".type openapi_yaml, %object\n"
	"openapi_yaml:\n"
	".incbin \"openapi.yaml\"\n"
	".Lopenapi_yaml_end:\n"
	".byte 0\n"
	".size openapi_yaml, . - openapi_yaml\n"
	".balign 8\n"
	".global openapi_yaml_len\n"
	".type openapi_yaml_len, %object\n"
	".size openapi_yaml_len, 8\n"
	"openapi_yaml_len:\n"
	".quad .Lopenapi_yaml_end - openapi_yaml\n"
	".text\n");

_Static_assert(sizeof(size_t) == 8, "the length above is written as a quad");
