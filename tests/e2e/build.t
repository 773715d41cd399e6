#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A build does what an edit needs, all of it and no more. In a copy of the tree.
. tests/tools/tap.sh
unset MAKEFLAGS MFLAGS MAKELEVEL O # those of the make that runs the tests
tree=$(mktemp -d "${TMPDIR:-/tmp}/virtx-build.XXXXXX")
trap 'rm -rf "$tree" "$tap_out"' EXIT
cp -r lib applets virtx.c Makefile openapi.yaml "$tree"
cd "$tree" || exit 1

# Without optimisation, which is not what is tested; what was compiled is in $compiled.
build() { # variables and targets...
	make -j2 CFLAGS=-O0 CPPFLAGS=-Wno-cpp "$@" >"$tap_out" 2>&1 || return 1
	compiled=$(sed -n 's/^  CC  *//p' "$tap_out" | LC_ALL=C sort)
}
sources_with() { # header
	(cd build && find . -name '*.d' ! -path './tests/*' -exec grep -lE "[ /]$1( |\$)" {} +) |
		sed 's|^\./||; s|\.d$|.c|' | LC_ALL=C sort
}

ok "a build from nothing" build
is "compiles everything" "$(wc -l <<<"$compiled")" "$(find lib applets virtx.c -name '*.c' | wc -l)"
ok "a second one" build
is "does nothing" "$compiled$(grep -E '^  (AR|LD)' "$tap_out")" ""

touch lib/base/uuid.h
ok "a header is edited" build
is "its dependents are compiled" "$compiled" "$(sources_with base/uuid.h)"
like "which are some" "$compiled" '^lib/base/uuid.c$'

touch openapi.yaml
ok "the API description is edited" build
is "what holds it is compiled" "$compiled" applets/virtxd/openapi.c

ok "other flags" build CPPFLAGS='-Wno-cpp -DX' build/lib/base/uuid.o
is "are compiled with" "$compiled" lib/base/uuid.c
ok "the usual ones again" build build/lib/base/uuid.o
is "too" "$compiled" lib/base/uuid.c

printf 'int extra(void);\nint extra(void)\n{\n\treturn 1;\n}\n' >lib/base/extra.c
ok "a new source" build build/libvirtx.a
like "is in the archive" "$(ar t build/libvirtx.a)" '^extra\.o$'
rm lib/base/extra.c
ok "a removed one" build build/libvirtx.a
not_ok "is not" grep -qx extra.o <(ar t build/libvirtx.a)
mv lib/base/uuid.h lib/base/id.h
not_ok "a header that is missing stops the build" build
mv lib/base/id.h lib/base/uuid.h

make -j2 CC=no-such-compiler O=other >"$tap_out" 2>&1
like "without a compiler it says what to do" "$(head -n 1 "$tap_out")" 'make deps'
make -j2 PKGS=no-such-library O=other >"$tap_out" 2>&1
is "without a library too, once" "$(grep -c 'make deps' "$tap_out")" 1
ok "make clean" make -s clean
not_ok "leaves nothing" test -e build
tap_done
