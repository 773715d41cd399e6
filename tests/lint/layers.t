#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The arrows between the layers, and what lib/ must never do.
. tests/tools/tap.sh

# Lines of includes in FOLDER that name a layer outside ALLOWED.
foreign_includes() { # folder allowed-regex
	! grep -nE '^#include "(base|model|hypervisor|cluster|storage|http|applets)/' "lib/$1"/*.[ch] |
		grep -vE "#include \"($2)/"
}
ok "base knows nothing above it" foreign_includes base base
ok "model knows base" foreign_includes model 'base|model'
for layer in hypervisor cluster storage http; do
	ok "$layer knows base and model" foreign_includes $layer "base|model|$layer"
done

only_in() { # header-regex folder
	! grep -rnE "^#include <$1" --include='*.[ch]' lib applets virtx.c | grep -v "^$2"
}
ok "libvirt is included in lib/hypervisor only" only_in libvirt/ lib/hypervisor/
ok "libsanlock is included in lib/storage only" only_in sanlock lib/storage/
ok "msgpack-c is included in lib/cluster only" only_in msgpack lib/cluster/
ok "epoll is used in lib/http only" only_in sys/epoll lib/http/
ok "libxml2 is used in lib/model and lib/hypervisor only" only_in libxml/ 'lib/\(model\|hypervisor\)/'

lib_calls() { # regex, files exempt
	! grep -rnE "(^|[^_a-z.>])($1)\(" --include='*.c' lib | grep -vE "$2"
}
ok "lib never ends the process (but for exhausted memory)" \
	lib_calls 'exit|_exit|abort' '^lib/base/(mem|str|process)\.c:'
ok "lib never prints (but for the log and help)" \
	lib_calls 'printf|puts|putchar' '^lib/base/log\.c:'

headers_alone() {
	local header failed=0
	for header in lib/*/*.h applets/*.h applets/*/*.h; do
		# shellcheck disable=SC2046
		${CC:-cc} -std=gnu17 -D_GNU_SOURCE -Ilib -I. -include base/banned.h -fsyntax-only -Wall -Werror \
			$(pkg-config --cflags libvirt libxml-2.0 json-c) -x c - <<<"#include \"$header\"" || failed=1
	done
	return "$failed"
}
ok "every header compiles alone" headers_alone

has_header() {
	local source failed=0
	for source in lib/*/*.h; do
		grep -q '^ \*\|^/\*' "$source" || failed=1
	done
	for source in $(git ls-files '*.c' '*.h' '*.sh' '*.t' '*.S'); do
		head -3 "$source" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' || {
			echo "$source: no SPDX line"
			failed=1
		}
	done
	return "$failed"
}
ok "every source says its licence" has_header
tap_done
