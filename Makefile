# SPDX-License-Identifier: Apache-2.0
# make, make demo, make check, make check-vm, make bench, make install: see README.md.

B := build
CC ?= gcc
CLANG ?= clang
VERSION := 1.0.0

# SANITIZE=address,undefined builds everything with sanitizers into its own directory.
ifdef SANITIZE
B := build/sanitize
SANFLAGS := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 $(WARN) -fPIC -fvisibility=hidden $(SANFLAGS)
CPPFLAGS += -Iinclude -Ilibdtrace -I$(B)/gen -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
LIBS := -lbpf -ldw -lelf -liberty

LIB_SRC := $(wildcard libdtrace/*.c libdtrace/*/*.c)
LIB_SRC := $(filter-out libdtrace/bpf/%,$(LIB_SRC))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
CMD_SRC := $(wildcard cmd/dtrace/*.c)
CMD_OBJ := $(CMD_SRC:%.c=$(B)/%.o)

all: $(B)/libdtrace.a $(B)/libdtrace.so $(B)/dtrace addon

$(B)/libdtrace.a: $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(B)/libdtrace.so: $(LIB_OBJ) libdtrace/libdtrace.map
	$(CC) -shared $(SANFLAGS) -Wl,-soname,libdtrace.so.1 -Wl,--version-script=libdtrace/libdtrace.map -o $@ $(LIB_OBJ) $(LIBS)

$(B)/dtrace: $(CMD_OBJ) $(B)/libdtrace.a
	$(CC) $(SANFLAGS) -o $@ $^ $(LIBS)

$(B)/gen/syscalls.inc: script/gen-syscalls.sh
	@mkdir -p $(@D)
	CC="$(CC)" script/gen-syscalls.sh $@

$(B)/libdtrace/provider/syscall.o: $(B)/gen/syscalls.inc

# The D libraries, embedded as text.
# What differs by architecture is in a folder of its name.
ARCH := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
DLIB := $(sort $(wildcard libdtrace/dlib/*.d libdtrace/dlib/$(ARCH)/*.d))

$(B)/gen/dlib.inc: script/gen-dlib.sh script/gen-constants.sh libdtrace/dlib/constants.list $(DLIB)
	@mkdir -p $(@D)
	CC="$(CC)" script/gen-constants.sh libdtrace/dlib/constants.list $(B)/gen/dlib
	script/gen-dlib.sh $@ $(DLIB) $(B)/gen/dlib/*.d

$(B)/libdtrace/lang/library.o: $(B)/gen/dlib.inc

# The functions that run in the kernel: compiled to BPF once, here, and embedded as tables.
BPF_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard libdtrace/bpf/*.bpf.c))

$(B)/libdtrace/bpf/%.bpf.o: libdtrace/bpf/%.bpf.c libdtrace/bpf/support.bpf.h
	@mkdir -p $(@D)
	$(CLANG) -target bpf -mcpu=v3 -O2 -Wall -Wextra -Wno-unused-parameter -Ilibdtrace -c -o $@ $<

$(B)/gen/embed: libdtrace/bpf/embed.c
	@mkdir -p $(@D)
	$(CC) -O1 -Wall -Wextra -o $@ $< -lelf

$(B)/gen/support.inc: $(BPF_OBJ) $(B)/gen/embed
	$(B)/gen/embed $(BPF_OBJ) >$@.tmp && mv $@.tmp $@

$(B)/libdtrace/codegen/support.o: $(B)/gen/support.inc

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# The add-on uses dtrace.h alone. SYSTEM_LIBDTRACE=1 builds it over the system's libdtrace.
# Node's own headers are those of node-api-headers; npm is asked only where they are missing.
ADDON := $(B)/dtrace_async.node
ADDON_SRC := $(wildcard addon/*.c)
ifneq ($(shell uname),Linux)
ADDON_SRC := $(filter-out addon/usdt%.c,$(ADDON_SRC))
endif
ifdef SYSTEM_LIBDTRACE
ADDON_DIR := $(B)/system
ADDON_LIBS := -ldtrace
else
ADDON_DIR := $(B)
ADDON_INC := -Iinclude
ADDON_LIB := $(B)/libdtrace.a
ADDON_LIBS := $(ADDON_LIB) $(LIBS)
endif
ADDON_OBJ := $(ADDON_SRC:%.c=$(ADDON_DIR)/%.o)
NODE_API := node_modules/node-api-headers/package.json
NODE_API_INC = $(shell node -p 'require("node-api-headers").include_dir')
# A package carries them.
ifneq ($(if $(wildcard $(NODE_API)),,$(wildcard prebuilds/include/node_api.h)),)
NODE_API := prebuilds/include/node_api.h
NODE_API_INC := prebuilds/include
endif

addon: $(ADDON)

$(ADDON): $(ADDON_OBJ) $(ADDON_LIB)
	$(CC) -shared $(SANFLAGS) -Wl,--exclude-libs,ALL -o $@ $(ADDON_OBJ) $(ADDON_LIBS) -lm

# Frame pointers: so that the stack of a probe of JavaScript leads to the JavaScript.
$(ADDON_DIR)/addon/%.o: addon/%.c Makefile | $(NODE_API)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fno-omit-frame-pointer $(ADDON_INC) -I$(NODE_API_INC) -D_GNU_SOURCE -MMD -MP -c -o $@ $<

$(NODE_API):
	npm install --ignore-scripts --no-save --no-audit --no-fund

# What a package carries: see script/prebuild. RPATH, unlike RUNPATH, is also where the
# libraries that lie beside the add-on find each other.
PREBUILT_LD := -static-libgcc -Wl,--as-needed -Wl,--disable-new-dtags,-rpath,'$$ORIGIN'

$(B)/prebuilt/dtrace_async.node: $(ADDON_OBJ) $(ADDON_LIB)
	@mkdir -p $(@D)
	$(CC) -shared -s -Wl,--exclude-libs,ALL $(PREBUILT_LD) -o $@ $^ $(LIBS) -lm

prebuild: $(B)/prebuilt/dtrace_async.node
	script/prebuild $<

# Programs the tests need: test/c/*_test.c over the library, and helpers that know nothing
# of it.
TEST_SRC := $(wildcard test/c/*_test.c)
TEST_HELPERS := $(B)/test/victim $(B)/test/bpfids $(B)/test/static $(B)/test/typed \
	$(B)/test/loader $(B)/test/mangled $(B)/test/contend
TEST_BIN := $(TEST_SRC:test/c/%.c=$(B)/test/%) $(TEST_HELPERS) $(B)/test/liblate.so

tests: $(TEST_BIN)

$(TEST_HELPERS): $(B)/test/%: test/c/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -D_GNU_SOURCE -o $@ $<

$(B)/test/liblate.so: test/c/late.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -shared -o $@ $<

$(B)/test/%_test: test/c/%_test.c $(wildcard test/c/*.h) include/dtrace.h $(B)/libdtrace.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -D_GNU_SOURCE -o $@ $< $(B)/libdtrace.a $(LIBS) -pthread

demo:
	@script/demo

# The C tests run a second time with sanitizers, in build/sanitize, and the one about threads
# with the thread sanitizer, in build/tsan.
check:
	@script/bootstrap vm browser
	$(MAKE) all tests
	$(MAKE) SANITIZE=address,undefined B=$(B)/sanitize tests
	$(MAKE) SANITIZE=thread B=$(B)/tsan $(B)/tsan/test/threads_test
	BUILD=$(B) node --test $(wildcard test/*.test.js test/*/*.test.js)

# What depends on the kernel on Debian's Linux 6.1 too, the oldest that is supported, in a
# virtual machine: half an hour where that is emulated.
check-vm:
	@script/bootstrap vm
	$(MAKE) all tests
	BUILD=$(B) script/check-vm

# What the project promises, against its peers: bench/README.md.
BENCH_BIN := $(addprefix $(B)/bench/,timed calls compile attach peer peer.bpf.o)

$(B)/bench/%: bench/%.c $(B)/libdtrace.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Iinclude -D_GNU_SOURCE -o $@ $< $(B)/libdtrace.a $(LIBS)

$(B)/bench/peer.bpf.o: bench/peer.bpf.c
	@mkdir -p $(@D)
	$(CLANG) -target bpf -mcpu=v3 -O2 -g -I/usr/include/$(shell $(CC) -dumpmachine) -c -o $@ $<

bench: all $(BENCH_BIN)
	BUILD=$(B) node bench/run.js

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib

install: $(B)/libdtrace.a $(B)/libdtrace.so $(B)/dtrace
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/include
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(B)/dtrace $(DESTDIR)$(PREFIX)/sbin/dtrace
	install -m 644 include/dtrace.h $(DESTDIR)$(PREFIX)/include/dtrace.h
	install -m 644 $(B)/libdtrace.a $(DESTDIR)$(LIBDIR)/libdtrace.a
	install -m 755 $(B)/libdtrace.so $(DESTDIR)$(LIBDIR)/libdtrace.so.$(VERSION)
	ln -sf libdtrace.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libdtrace.so.1
	ln -sf libdtrace.so.1 $(DESTDIR)$(LIBDIR)/libdtrace.so
	sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(LIBDIR)|' \
		-e 's|@includedir@|$(PREFIX)/include|' -e 's|@VERSION@|$(VERSION)|' \
		libdtrace/libdtrace.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/libdtrace.pc
	install -m 644 doc/dtrace.1 $(DESTDIR)$(PREFIX)/share/man/man1/dtrace.1
	install -D -m 644 cmd/completion/dtrace.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/dtrace
	install -D -m 644 cmd/completion/_dtrace \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_dtrace

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(ADDON_OBJ:.o=.d)

clean:
	rm -rf build

.PHONY: all addon prebuild tests demo check check-vm bench install clean
