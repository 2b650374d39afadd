# SPDX-License-Identifier: Apache-2.0
# make, make demo, make check, make bench, make install: see README.md.

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
LIBS := -lbpf -ldw -lelf

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

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

addon:

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d)

clean:
	rm -rf build

.PHONY: all addon clean
