#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Warnings of both compilers are errors; hardening is read off the result, not off the flags.
. tests/tools/tap.sh
O=${O:-build}
program=$O/virtx
for compiler in gcc clang; do
	ok "$compiler has nothing to say" make -s -k O="$O-lint-$compiler" CC=$compiler CFLAGS="-O1 -Werror" objects
done

header=$(readelf -Wh "$program")
dynamic=$(readelf -Wd "$program")
segments=$(readelf -Wl "$program")
symbols=$(readelf -W --dyn-syms "$program")
like "position independent" "$header" 'Type:[[:space:]]+DYN'
like "relocations are read-only" "$segments" 'GNU_RELRO'
like "bound at the start" "$dynamic" 'FLAGS.*NOW'
like "the stack is not executable" "$(grep GNU_STACK <<<"$segments")" 'RW '
like "stack protector" "$symbols" '__stack_chk_fail'
like "checked libc calls" "$symbols" '__(snprintf|memcpy|vsnprintf|read)_chk'
if [ "$(uname -m)" = x86_64 ]; then
	# The property note needs a C runtime built for it as well; what is ours shows in the code.
	marked() { [ "$(objdump -d "$program" | grep -c endbr64)" -gt 500 ]; }
	ok "indirect branches land on marked places" marked
fi
is "libvirt is not loaded by the client" "$(grep -c 'NEEDED.*libvirt' <<<"$dynamic")" 0
tap_done
