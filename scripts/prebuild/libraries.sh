#!/bin/sh
# Builds the libraries that the prebuilt addon has inside, in the root that scripts/prebuild.mjs makes: libraries.sh ARCH
# Their sources are Debian's. Debian's own archives cannot be used: they want a newer glibc, or libraries that are of no use here
# (libpcap: D-Bus, USB, Bluetooth). Leaves them in /libraries/ARCH.
set -eu
arch=$1
case $arch in
  x64) cross='' ;;
  arm64) cross=aarch64-linux-gnu- ;;
esac
to=/libraries/$arch
work=$(mktemp -d)
flags='-O2 -fPIC -ffunction-sections -fdata-sections'

unpack() { # PACKAGE: unpacks the sources that were fetched, leaves us in them
  cd "$work"
  for archive in /sources/"$1"_*.orig.tar.*[!c]; do tar xf "$archive"; done
  cd "$work/$1"-*
  tar xf /sources/"$1"_*.debian.tar.xz
  grep -v '^#' debian/patches/series | while read -r patch; do patch --quiet -p1 <"debian/patches/$patch"; done
  mkdir -p "$to/licences"
  cp debian/copyright "$to/licences/$1"
}

unpack libpcap
./configure --quiet --prefix=/usr ${cross:+--host=${cross%-}} CFLAGS="$flags" --disable-shared --disable-usb \
  --disable-bluetooth --disable-dbus --disable-rdma --without-libnl --without-dpdk --without-snf --without-septel --without-dag
make -s libpcap.a
make -s DESTDIR="$to" install >/dev/null

unpack libbpf
make -s -C src CROSS_COMPILE="$cross" CC="${cross}gcc" AR="${cross}ar" CFLAGS="$flags" NO_PKG_CONFIG=1 EXTRA_CFLAGS= \
  BUILD_STATIC_ONLY=1 PREFIX=/usr LIBDIR=/usr/lib DESTDIR="$to" install install_uapi_headers
rm -rf "$work"
