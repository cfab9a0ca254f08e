# Builds what the package brings along, in the root that scripts/prebuild.mjs makes: make -f native/prebuild.mk OUT=... LIBS=...
# libbpf and libpcap are linked in; libelf, zlib and libmnl lie beside the addon as Debian built them, found by its own place. Debian
# has no static libmnl, and its static libelf is no good for a shared object.
# MULTIARCH is x86_64-linux-gnu or aarch64-linux-gnu, CROSS the prefix of the compilers if it is not the machine's own, OUT where the result goes, WORK for what comes in between, LIBS where libbpf and libpcap were
# installed, NODE_HEADERS and NODE_ADDON_API where their headers are, BPF_OBJECTS the embedded BPF objects.
CC := $(CROSS)gcc
CXX := $(CROSS)g++
STRIP := $(CROSS)strip
COMMON := -O3 -g0 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -pthread -ffile-prefix-map=$(CURDIR)=. \
	-Wall -Wextra -Wtype-limits
DEFINES := -DNAPI_VERSION=8 -DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS -D_GNU_SOURCE -DNAPI_CPP_EXCEPTIONS \
	-DNODE_GYP_MODULE_NAME=rpftrace -DBUILDING_NODE_EXTENSION
INCLUDES := -Inative/include -Inative/core -Inative/bpf -I$(LIBS)/usr/include -I$(NODE_HEADERS)/include/node -I$(NODE_ADDON_API)
LINK := -shared -static-libstdc++ -static-libgcc -Wl,--gc-sections -Wl,--as-needed -Wl,-z,defs,-z,relro,-z,now \
	-Wl,-rpath,'$$ORIGIN' -Wl,--exclude-libs,ALL -Wl,--unresolved-symbols=ignore-in-object-files
ARCHIVES := $(LIBS)/usr/lib/libbpf.a $(LIBS)/usr/lib/libpcap.a -lelf -lz -lmnl -lpthread

CORE := $(shell cat native/sources.txt)
ADDON := $(wildcard native/addon/*.cc)
LAB := native/lab/send.c native/lab/frame.c
OBJECTS := $(CORE:%.c=$(WORK)/%.o) $(ADDON:%.cc=$(WORK)/%.o) $(WORK)/rpf_bpf_objects.o

BESIDE := libelf.so.1 libz.so.1 libmnl.so.0

all: $(OUT)/rpftrace.node $(OUT)/rpftrace-send $(BESIDE:%=$(OUT)/%)

$(OUT)/rpftrace.node: $(OBJECTS)
	@mkdir -p $(@D)
	$(CXX) $(LINK) -o $@ $^ $(ARCHIVES)
	$(STRIP) --strip-unneeded $@

$(OUT)/rpftrace-send: $(LAB)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Wtype-limits -o $@ $^
	$(STRIP) $@

$(BESIDE:%=$(OUT)/%):
	@mkdir -p $(@D)
	cp -L /usr/lib/$(MULTIARCH)/$(@F) $@ || cp -L /lib/$(MULTIARCH)/$(@F) $@
	chmod 644 $@

$(WORK)/rpf_bpf_objects.o: $(BPF_OBJECTS)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(COMMON) -c -o $@ $<

$(WORK)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -Werror=implicit-function-declaration $(COMMON) $(DEFINES) $(INCLUDES) -c -o $@ $<

$(WORK)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(COMMON) $(DEFINES) $(INCLUDES) -c -o $@ $<
