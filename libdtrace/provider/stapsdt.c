/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stapsdt.c - see stapsdt.h. A note holds three addresses of 8 bytes, the probe's, one to
 * compare with where the section .stapsdt.base is (they differ after prelinking), and the
 * semaphore's, then three strings: provider, probe, arguments.
 *
 * An argument is "size@operand": a size in bytes, negative for a signed value, and an operand
 * as the assembler writes it:
 *
 *	$12		a constant
 *	%edi		a register
 *	-8(%rbp)	memory at a register's value, plus another times a factor:
 *	16(%rax,%rcx,8)
 */
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "provider/stapsdt.h"

#define DT_STAP_OWNER "stapsdt"
#define DT_STAP_TYPE 3
#define DT_STAP_BASE ".stapsdt.base"
#define DT_STAP_ADDRESSES 3

/* ---- Notes ------------------------------------------------------------------- */

/* Where an address of the file's image is in the file; 0: nowhere. */
static uint64_t dt_stap_position(Elf *elf, uint64_t address)
{
	size_t n;

	if (elf_getphdrnum(elf, &n) != 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr phdr;

		if (gelf_getphdr(elf, (int)i, &phdr) && phdr.p_type == PT_LOAD &&
		    address - phdr.p_vaddr < phdr.p_memsz)
			return address - phdr.p_vaddr + phdr.p_offset;
	}
	return 0;
}

/* The strings of a note from at on, one after the other. NULL: it ends before. */
static const char *dt_stap_string(const char **at, const char *end)
{
	const char *text = *at, *nul = memchr(text, '\0', (size_t)(end - text));

	if (!nul)
		return NULL;
	*at = nul + 1;
	return text;
}

/* Takes in one note, of size bytes. False: out of memory. */
static bool dt_stap_add(Elf *elf, const char *desc, size_t size, uint64_t base,
			dt_stapnotes_t *notes)
{
	const char *at = desc + DT_STAP_ADDRESSES * sizeof(uint64_t), *end = desc + size;
	uint64_t addresses[DT_STAP_ADDRESSES];
	dt_stapnote_t note;

	if (size <= sizeof(addresses))
		return true;
	memcpy(addresses, desc, sizeof(addresses));
	note.provider = dt_stap_string(&at, end);
	note.name = note.provider ? dt_stap_string(&at, end) : NULL;
	note.args = note.name ? dt_stap_string(&at, end) : NULL;
	if (!note.args)
		return true;
	if (base != 0 && addresses[1] != 0) {
		addresses[0] += base - addresses[1];
		if (addresses[2])
			addresses[2] += base - addresses[1];
	}
	note.position = dt_stap_position(elf, addresses[0]);
	note.semaphore = addresses[2] ? dt_stap_position(elf, addresses[2]) : 0;
	if (note.position == 0)
		return true;
	if (notes->nnotes == notes->capacity) {
		size_t capacity = notes->capacity ? notes->capacity * 2 : 16;
		dt_stapnote_t *grown = realloc(notes->notes, capacity * sizeof(*grown));

		if (!grown)
			return false;
		notes->notes = grown;
		notes->capacity = capacity;
	}
	notes->notes[notes->nnotes++] = note;
	return true;
}

/* The notes of one section; their strings are in text, which is the section's data. */
static bool dt_stap_section(Elf *elf, const char *text, size_t size, uint64_t base,
			    dt_stapnotes_t *notes)
{
	Elf_Data data = {.d_buf = (void *)(uintptr_t)text,
			 .d_size = size,
			 .d_type = ELF_T_NHDR,
			 .d_version = EV_CURRENT};
	size_t at = 0, name, desc, next;
	GElf_Nhdr header;

	while ((next = gelf_getnote(&data, at, &header, &name, &desc)) != 0) {
		if (header.n_type == DT_STAP_TYPE &&
		    header.n_namesz == sizeof(DT_STAP_OWNER) &&
		    memcmp(text + name, DT_STAP_OWNER, sizeof(DT_STAP_OWNER)) == 0 &&
		    !dt_stap_add(elf, text + desc, header.n_descsz, base, notes))
			return false;
		at = next;
	}
	return true;
}

/* The section of that name; base of it if it is .stapsdt.base. */
static Elf_Scn *dt_stap_find(Elf *elf, uint64_t *base)
{
	Elf_Scn *section = NULL, *found = NULL;
	size_t strings;

	if (elf_getshdrstrndx(elf, &strings) != 0)
		return NULL;
	while ((section = elf_nextscn(elf, section)) != NULL) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf, strings, header.sh_name);
		if (!name)
			continue;
		if (header.sh_type == SHT_NOTE && strcmp(name, ".note." DT_STAP_OWNER) == 0)
			found = section;
		else if (strcmp(name, DT_STAP_BASE) == 0)
			*base = header.sh_addr;
	}
	return found;
}

bool dt_stapnotes_read(int fd, dt_stapnotes_t *notes)
{
	Elf_Scn *section;
	Elf_Data *data;
	uint64_t base = 0;
	bool ok = true;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	section = elf && elf_kind(elf) == ELF_K_ELF ? dt_stap_find(elf, &base) : NULL;
	data = section ? elf_rawdata(section, NULL) : NULL;
	if (data && data->d_buf && data->d_size) {
		notes->text = malloc(data->d_size);
		notes->size = data->d_size;
		if (notes->text)
			memcpy(notes->text, data->d_buf, data->d_size);
		ok = notes->text &&
		     dt_stap_section(elf, notes->text, notes->size, base, notes);
	}
	elf_end(elf);
	return ok;
}

void dt_stapnotes_free(dt_stapnotes_t *notes)
{
	free(notes->notes);
	free(notes->text);
}

/* ---- Arguments ------------------------------------------------------------------ */

static const char *dt_stap_type(int size)
{
	switch (size) {
	case 1:
		return "uint8_t";
	case -1:
		return "int8_t";
	case 2:
		return "uint16_t";
	case -2:
		return "int16_t";
	case 4:
		return "uint32_t";
	case -4:
		return "int32_t";
	case -8:
		return "int64_t";
	default:
		return "uint64_t";
	}
}

/* "%rax" at *at, which is moved past it: the register's offset in the context; -1. */
static int dt_stap_register(const char **at)
{
	size_t length;

	if (**at != '%')
		return -1;
	length = strcspn(*at + 1, ",) ");
	*at += 1 + length;
	return dt_arch_register(*at - length, length);
}

/* "disp(base,index,scale)" with any part but the base left out. */
static bool dt_stap_memory(const char *at, dt_argsource_t *source)
{
	char *rest;
	long displacement = strtol(at, &rest, 0);
	int base, index;

	at = rest;
	if (*at++ != '(')
		return false;
	base = dt_stap_register(&at);
	if (base < 0)
		return false;
	source->kind = DT_ARG_UREAD;
	source->base = (uint32_t)base;
	source->offset = (uint32_t)(int32_t)displacement;
	if (*at != ',')
		return *at == ')';
	at++;
	index = dt_stap_register(&at);
	if (index < 0)
		return false;
	source->offset2 = (uint32_t)index;
	source->scale = 1;
	if (*at == ',')
		source->scale = (uint8_t)strtoul(at + 1, &rest, 10);
	else
		rest = (char *)(uintptr_t)at;
	return *rest == ')' && source->scale <= 8;
}

/* One operand, which ends at a blank or the end. */
static bool dt_stap_operand(const char *at, dt_argsource_t *source)
{
	int offset;

	if (*at == '$') {
		source->kind = DT_ARG_CONST;
		source->value = strtoll(at + 1, NULL, 0);
		return true;
	}
	if (*at == '%') {
		offset = dt_stap_register(&at);
		source->kind = DT_ARG_CTX;
		source->offset = (uint32_t)offset;
		return offset >= 0;
	}
	return dt_stap_memory(at, source);
}

/* A constant as a value of that many bytes: compilers write 200 in one as $-56. */
static int64_t dt_stap_constant(int64_t value, int size, bool is_signed)
{
	int shift = 64 - 8 * size;

	if (is_signed)
		return (int64_t)((uint64_t)value << shift) >> shift;
	return (int64_t)((uint64_t)value << shift >> shift);
}

int dt_stapnote_args(const char *text, dt_argsource_t *args, const char **types)
{
	int n = 0;

	while (n < DT_MAXARGS && *(text += strspn(text, " ")) != '\0') {
		char *rest;
		long size = strtol(text, &rest, 10);
		dt_argsource_t source = {.is_signed = size < 0};

		/* Without a size ("%rax") it is as wide as a register. */
		if (*rest == '@')
			text = rest + 1;
		else
			size = 8;
		source.size = (uint8_t)labs(size);
		if (!strchr("\1\2\4\10", source.size) || source.size == 0 ||
		    !dt_stap_operand(text, &source))
			source = (dt_argsource_t){.kind = DT_ARG_NONE};
		if (source.kind == DT_ARG_CONST)
			source.value = dt_stap_constant(source.value, source.size, source.is_signed);
		types[n] = dt_stap_type((int)size);
		args[n++] = source;
		text += strcspn(text, " ");
	}
	return n;
}
