#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make install and uninstall: exactly these files, links that work, texts that pass their checkers.
. tests/e2e/lib.sh
unset MAKEFLAGS MFLAGS MAKELEVEL # those of the make that runs the tests
O=$(dirname "$VIRTX")
root=$work/root

make_in_root() { # target [variable...]
	(umask 077 && make -s -j2 O="$O" VARIANT="${VARIANT:-plain}" PREFIX=/usr DESTDIR="$root" "$@")
}
files() { (cd "$root" && find . ! -type d | sed 's|^\./||' | LC_ALL=C sort); }

must "make install" make_in_root install
is "exactly the expected files" "$(files)" "$({
	cat <<-EOF
		etc/virtx/virtxd.conf
		usr/bin/virtx
		usr/lib/systemd/system/virtxd.service
		usr/sbin/virtx-check-lvb
		usr/sbin/virtxd
		usr/share/bash-completion/completions/virtx
		usr/share/doc/virtx/LICENSE
		usr/share/doc/virtx/README.md
		usr/share/doc/virtx/examples/virtxd.conf
		usr/share/doc/virtx/openapi.yaml
		usr/share/fish/vendor_completions.d/virtx.fish
		usr/share/man/man1/virtx.1
		usr/share/man/man5/virtxd.conf.5
		usr/share/man/man8/virtx-check-lvb.8
		usr/share/man/man8/virtxd.8
		usr/share/zsh/site-functions/_virtx
	EOF
	git ls-files 'examples/*.json' 'examples/*.yaml' | sed 's|^|usr/share/doc/virtx/|'
} | LC_ALL=C sort)"
is "everyone may read it, whatever the umask" \
	"$(find "$root" -type f ! -perm -044 ! -name virtxd.conf; find "$root" -type d ! -perm -055)" ""
is "but the configuration, which may hold a key" "$(stat -c %a "$root/etc/virtx/virtxd.conf")" 640

# The names of the one executable.
is "virtxd is a relative link" "$(readlink "$root/usr/sbin/virtxd")" ../bin/virtx
is "virtx-check-lvb too" "$(readlink "$root/usr/sbin/virtx-check-lvb")" ../bin/virtx
version=$("$root/usr/bin/virtx" --version)
like "virtx runs" "$version" '^virtx [0-9.]+$'
is "virtxd is the daemon" "$("$root/usr/sbin/virtxd" --version)" "virtxd ${version#virtx }"
like "virtx-check-lvb is itself" "$("$root/usr/sbin/virtx-check-lvb" 2>&1)" '^usage: virtx-check-lvb '
is "virtx virtxd is the daemon" "$("$root/usr/bin/virtx" virtxd --version)" "virtxd ${version#virtx }"

# Texts.
for page in "$root"/usr/share/man/man*/*; do
	ok "$(basename "$page") passes mandoc" mandoc -Tlint -Wwarning "$page"
	not_ok "$(basename "$page") has all its tables" grep -n '^@' "$page"
done
sed "s|/usr/sbin/virtxd|$root&|" "$root/usr/lib/systemd/system/virtxd.service" >"$work/virtxd.service"
ok "the unit names the daemon" grep -qx 'ExecStart=/usr/sbin/virtxd' "$root/usr/lib/systemd/system/virtxd.service"
ok "systemd takes the unit" systemd-analyze verify --man=no "$work/virtxd.service"
ok "bash takes its completion" bash -n "$root/usr/share/bash-completion/completions/virtx"
ok "zsh takes its completion" zsh -n "$root/usr/share/zsh/site-functions/_virtx"
ok "fish takes its completion" fish -n "$root/usr/share/fish/vendor_completions.d/virtx.fish"

# The configuration: made by the program, understood by it, kept when it was changed.
conf=$root/etc/virtx/virtxd.conf
is "examples/virtxd.conf is what --print-config prints" "$("$VIRTX" virtxd --print-config)" "$(cat examples/virtxd.conf)"
ok "it is installed" cmp -s examples/virtxd.conf "$conf"
not_ok "with a mistake it would be refused" "$VIRTX" virtxd --config <(echo 'lisen = x') --init-cluster --vms-dir "$work/v"
mkdir "$work/v"
ok "it is understood" "$VIRTX" virtxd --config "$conf" --init-cluster --vms-dir "$work/v"
sed 's/^#//; /^ /d' "$conf" >"$work/all.conf"
ok "with every key set to its default too" "$VIRTX" virtxd --config "$work/all.conf" --init-cluster --vms-dir "$work/v"
echo 'log_level = debug' >>"$conf"
ok "a second install" make_in_root install
like "keeps what was changed" "$(tail -n 1 "$conf")" '^log_level = debug$'

# Nothing stays but what was changed.
ok "make uninstall" make_in_root uninstall
is "only the changed configuration stays" "$(files)" etc/virtx/virtxd.conf
ok "install over it" make_in_root install
cp examples/virtxd.conf "$conf"
ok "make uninstall of an unchanged one" make_in_root uninstall
is "nothing stays" "$(files; find "$root" -name '*virtx*')" ""
ok "uninstall of nothing" make_in_root uninstall

# The default prefix.
ok "install below /usr/local" make_in_root install PREFIX=/usr/local
ok "the unit names the daemon there" grep -qx 'ExecStart=/usr/local/sbin/virtxd' "$root/usr/local/lib/systemd/system/virtxd.service"
ok "where its link works" "$root/usr/local/sbin/virtxd" --version
tap_done
