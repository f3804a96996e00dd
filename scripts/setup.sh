# Sourced by ./run and ./test from the top of the repository: finds what the build
# needs, says what is missing, installs it on Debian and Ubuntu, and sets the
# environment of cargo. Asks nothing where nobody can answer.
# shellcheck shell=bash

MIN_RUST=1.95

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

display_present() {
    [ "$(uname)" = Darwin ] || [ -n "${DISPLAY:-}" ] || [ -n "${WAYLAND_DISPLAY:-}" ]
}

# version_at_least FOUND WANTED
version_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# grep reads to the end: with -q it would leave ldconfig with a broken pipe.
library_present() {
    { ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null; } | grep "$1" >/dev/null
}

vulkan_driver_present() {
    local folder
    for folder in /usr/share/vulkan/icd.d /etc/vulkan/icd.d "$HOME/.local/share/vulkan/icd.d"; do
        if ls "$folder"/*.json >/dev/null 2>&1; then return 0; fi
    done
    [ -n "${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}" ]
}

# Prints one word per thing that is missing; package names of Debian and Ubuntu.
missing_packages() {
    have pkg-config || echo pkg-config
    have cmake || echo cmake
    have g++ || echo g++
    have make || echo make
    have sqlite3 || echo sqlite3
    if ! have pkg-config || ! pkg-config --exists gdal; then echo libgdal-dev; fi
    if [ "$(uname)" = Linux ]; then
        library_present libvulkan.so.1 || echo libvulkan1
        vulkan_driver_present || echo mesa-vulkan-drivers
        if display_present; then
            library_present libxkbcommon-x11.so.0 || echo libxkbcommon-x11-0
            library_present libXcursor.so.1 || echo libxcursor1
            library_present libXi.so.6 || echo libxi6
            library_present libXrandr.so.2 || echo libxrandr2
            library_present libX11-xcb.so.1 || echo libx11-xcb1
        fi
    fi
    if ! have rustup && ! rust_is_new_enough; then
        have curl || echo curl
        [ -e /etc/ssl/certs/ca-certificates.crt ] || [ "$(uname)" != Linux ] || echo ca-certificates
    fi
}

rust_is_new_enough() {
    have cargo && have rustc && version_at_least "$(rustc --version 2>/dev/null | cut -d ' ' -f 2)" "$MIN_RUST"
}

# The same things under the names of other systems.
name_packages_elsewhere() {
    say "Missing here (Debian's names): $*"
    if [ "$(uname)" = Darwin ]; then
        say "With Homebrew:   brew install gdal proj pkgconf cmake sqlite"
    elif have dnf; then
        say "On Fedora:       sudo dnf install gdal-devel pkgconf cmake make gcc-c++ sqlite vulkan-loader mesa-vulkan-drivers libxkbcommon-x11"
    elif have pacman; then
        say "On Arch:         sudo pacman -S --needed gdal pkgconf cmake base-devel sqlite vulkan-icd-loader vulkan-swrast libxkbcommon-x11"
    elif have zypper; then
        say "On openSUSE:     sudo zypper install gdal-devel pkgconf cmake make gcc-c++ sqlite3 libvulkan1 Mesa-vulkan-device-select libxkbcommon-x11-0"
    elif have apk; then
        say "On Alpine:       apk add gdal-dev pkgconf cmake make g++ sqlite vulkan-loader mesa-vulkan-swrast libxkbcommon"
    else
        say "Install GDAL with its headers, pkg-config, cmake, a C++ compiler, make, the sqlite3 program and a Vulkan loader with a driver."
    fi
    fail "install these packages, then start again"
}

install_packages() {
    if ! have apt-get; then name_packages_elsewhere "$@"; fi
    local as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || fail "root must run: apt-get install --no-install-recommends $*"
        as_root=sudo
        [ -t 0 ] || as_root="sudo -n"
    fi
    say "Will install with apt-get${as_root:+ (as root, through sudo)}: $*"
    # shellcheck disable=SC2086 # an empty word must vanish
    {
        $as_root apt-get update -qq &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
    } || fail "apt-get could not install: $*"
}

install_rust() {
    if have rustup; then
        say "Will install with rustup: Rust $MIN_RUST with clippy and rustfmt"
        rustup toolchain install "$MIN_RUST" --profile minimal -c clippy -c rustfmt || fail "rustup could not install Rust $MIN_RUST"
        export RUSTUP_TOOLCHAIN="$MIN_RUST"
        return
    fi
    say "Will install to ~/.cargo and ~/.rustup: rustup and the stable Rust toolchain (from https://rustup.rs)"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
        sh -s -- -y --no-modify-path --profile minimal -c clippy -c rustfmt >&2 || fail "the installer of rustup failed"
    have cargo || fail "cargo is still missing after the installation of rustup"
}

set_up() {
    # Before a distribution's older Rust.
    PATH="$HOME/.cargo/bin:$PATH"
    export PATH
    local missing
    missing=$(missing_packages | sort -u | tr '\n' ' ')
    # shellcheck disable=SC2086 # one word per package
    if [ -n "${missing// /}" ]; then install_packages $missing; fi
    rust_is_new_enough || install_rust

    # Mesa looks for other GPUs through the session's runtime folder and complains where there is none.
    if [ -z "${XDG_RUNTIME_DIR:-}" ]; then export NODEVICE_SELECT="${NODEVICE_SELECT:-1}"; fi

    # Outside of the checkout, so that clones share what is built.
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/nunatak/target}"
    if [ ! -d "$CARGO_TARGET_DIR" ]; then
        say "First build: about half an hour on two cores and 6 GB in $CARGO_TARGET_DIR; later ones take seconds."
    fi
}
