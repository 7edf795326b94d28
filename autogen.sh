#!/bin/sh
# ./autogen.sh         makes ./configure (needs autoconf, automake, pkg-config)
# ./autogen.sh demo    installs what the build needs, builds in build/ and opens the dashboard over a simulated fleet; further arguments go to `probetop demo`
# ./autogen.sh check   the same, and runs all tests, with and without sanitizers; ends with one line `N passed, N failed, N skipped`
set -eu
cd "$(dirname "$0")"

say() { printf '%s\n' "$*" >&2; }

build_packages="autoconf automake pkg-config make gcc libc6-dev libncurses-dev libcurl4-openssl-dev libcjson-dev libuv1-dev libutf8proc-dev libinih-dev libyaml-dev zlib1g-dev uthash-dev"
test_packages="libcmocka-dev libvterm-dev procps openssl binutils"

explain_packages()
{
    say "probetop needs a C compiler, make, autoconf, automake, pkg-config and these libraries:"
    say "  apt-get install $build_packages"
    say "  dnf install gcc make autoconf automake pkgconf-pkg-config ncurses-devel libcurl-devel cjson-devel libuv-devel utf8proc-devel inih-devel libyaml-devel zlib-devel uthash-devel"
    say "  apk add build-base autoconf automake pkgconf ncurses-dev curl-dev cjson-dev libuv-dev utf8proc-dev inih-dev yaml-dev zlib-dev uthash-dev"
    say "  pacman -S base-devel ncurses curl cjson libuv libutf8proc libinih libyaml zlib uthash"
    say "  brew install autoconf automake pkg-config ncurses curl cjson libuv utf8proc inih libyaml zlib uthash"
    say "The tests need cmocka and libvterm too."
}

# install PACKAGE...: those that are not there yet, by apt-get.
install()
{
    command -v apt-get >/dev/null 2>&1 || return 0
    wanted=
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
        installed) ;;
        *) wanted="$wanted $package" ;;
        esac
    done
    [ -n "$wanted" ] || return 0
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1; then
        as_root=sudo
    else
        say "these packages are missing and you are neither root nor have sudo:$wanted"
        exit 1
    fi
    say "installing:$wanted"
    # Package lists may be old or absent on a fresh machine; another apt-get may be at work: wait for it.
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update >&2
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $wanted >&2
}

make_configure()
{
    for tool in autoreconf automake pkg-config; do
        command -v $tool >/dev/null 2>&1 || {
            say "autogen.sh: $tool is not there."
            explain_packages
            exit 1
        }
    done
    autoreconf --force --install >&2
    # configure sweeps away core dumps by their name; here that is the name of a folder.
    sed 's/rm -f core /rm -f /' configure >configure.new && cat configure.new >configure && rm configure.new
}

# build FOLDER [CONFIGURE-ARGUMENT...]: configures (once) and compiles there.
build()
{
    folder=$1
    shift
    mkdir -p "$folder"
    if [ ! -f "$folder/config.status" ] || [ configure -nt "$folder/config.status" ]; then
        (cd "$folder" && "$OLDPWD/configure" --quiet "$@" >&2)
    fi
    make --no-print-directory -C "$folder" -j "$(getconf _NPROCESSORS_ONLN)" >&2
}

case ${1:-} in
"")
    make_configure
    say "configure is there; next: ./configure && make (or, out of tree: mkdir build && cd build && ../configure && make)"
    ;;
demo)
    shift
    # shellcheck disable=SC2086
    install $build_packages
    [ -f configure ] && [ configure -nt configure.ac ] && [ Makefile.in -nt Makefile.am ] || make_configure
    build build
    PROBETOP_THEMES="$PWD/themes"
    export PROBETOP_THEMES
    exec build/probetop demo "$@"
    ;;
check)
    # shellcheck disable=SC2086
    install $build_packages $test_packages
    make_configure
    build build
    build build/sanitized --enable-sanitizers --enable-werror CFLAGS="-O1 -g"
    status=0
    # A real cluster's tests measure moments to the second: they come after the others, alone.
    loader=${PROBETOP_IMAGE_LOADER:-}
    unset PROBETOP_IMAGE_LOADER
    for folder in build build/sanitized; do
        make --no-print-directory -C $folder -j "$(getconf _NPROCESSORS_ONLN)" check || status=1
    done
    if [ -n "$loader" ]; then
        PROBETOP_IMAGE_LOADER=$loader make --no-print-directory -C build check-cluster || status=1
    fi
    sh tests/tools/summary build || status=1
    exit $status
    ;;
*)
    say "autogen.sh: unknown word '$1'; use it without arguments, with 'demo' or with 'check'"
    exit 2
    ;;
esac
