/* SPDX-License-Identifier: Apache-2.0 */
/*
 * v8.c - see jstack.h. V8 is built with variables for debuggers after a process's death,
 * v8dbg_*, which tell where members of its objects are. Their values are in the file.
 */
#include <gelf.h>
#include <libelf.h>
#include <string.h>
#include <unistd.h>

#include "consume/jstack.h"

#define PREFIX "v8dbg_"

/* A variable, without the prefix, and where its value goes. */
static const struct {
	const char *name;
	int word; /* of DT_V8_*; -1: it must have the value */
	int32_t value;
} variables[] = {
    {"class_JSFunction__shared__SharedFunctionInfo", DT_V8_SHARED, 0},
    {"class_SharedFunctionInfo__name_or_scope_info__Object", DT_V8_NAME, 0},
    {"class_SharedFunctionInfo__script_or_debug_info__HeapObject", DT_V8_SCRIPT, 0},
    {"class_Script__name__Object", DT_V8_SCRIPT_NAME, 0},
    {"class_Map__instance_type__uint16_t", DT_V8_INSTANCE_TYPE, 0},
    {"class_String__length__int32_t", DT_V8_LENGTH, 0},
    {"class_SeqOneByteString__chars__char", DT_V8_CHARS, 0},
    {"class_ThinString__actual__String", DT_V8_THIN_ACTUAL, 0},
    {"class_ConsString__first__String", DT_V8_CONS_FIRST, 0},
    {"class_ConsString__second__String", DT_V8_CONS_SECOND, 0},
    {"class_SlicedString__parent__String", DT_V8_SLICED_PARENT, 0},
    {"class_SlicedString__offset__SMI", DT_V8_SLICED_OFFSET, 0},
    {"scopeinfo_idx_ncontextlocals", DT_V8_NVARIABLES, 0},
    {"scopeinfo_idx_first_vars", DT_V8_FIRST_VARIABLE, 0},
    {"type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE", DT_V8_SHARED_TYPE, 0},
    {"type_ScopeInfo__SCOPE_INFO_TYPE", DT_V8_SCOPE_TYPE, 0},
    {"type_Script__SCRIPT_TYPE", DT_V8_SCRIPT_TYPE, 0},
    {"FirstNonstringType", DT_V8_FIRST_NONSTRING, 0},
    /* What bpf/jstack.bpf.c takes for granted. */
    {"off_fp_function", -1, -16},
    {"off_fp_context", -1, -8},
    {"SmiShiftSize", -1, 31},
    {"HeapObjectTag", -1, 1},
    {"class_HeapObject__map__Map", -1, 0},
    {"SeqStringTag", -1, 0},
    {"ConsStringTag", -1, 1},
    {"SlicedStringTag", -1, 3},
    {"ThinStringTag", -1, 5},
    {"OneByteStringTag", -1, 8},
};
#define NVARIABLES ((int)(sizeof(variables) / sizeof(variables[0])))

/* What those begin with that V8 12 (Node 22) and later call otherwise, and the name before. */
static const struct {
	const char *begins, *name;
} renamed[] = {
    {"class_SharedFunctionInfo__name_or_scope_info__Tagged_",
     "class_SharedFunctionInfo__name_or_scope_info__Object"},
    {"class_SharedFunctionInfo__script__Tagged_",
     "class_SharedFunctionInfo__script_or_debug_info__HeapObject"},
};

static Elf_Scn *dynamic_symbols(Elf *elf, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section)) != NULL)
		if (gelf_getshdr(section, header) != NULL && header->sh_type == SHT_DYNSYM)
			break;
	return section;
}

/* The int at an address of the file's image; memory that is not in the file is 0. */
static bool read_value(Elf *elf, int fd, uint64_t address, int32_t *value)
{
	size_t n;

	if (elf_getphdrnum(elf, &n) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr part;

		if (gelf_getphdr(elf, (int)i, &part) == NULL || part.p_type != PT_LOAD ||
		    address - part.p_vaddr >= part.p_memsz)
			continue;
		*value = 0;
		return address - part.p_vaddr >= part.p_filesz ||
		       pread(fd, value, sizeof(*value),
			     (off_t)(address - part.p_vaddr + part.p_offset)) ==
			   sizeof(*value);
	}
	return false;
}

static const char *former_name(const char *name)
{
	for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
		if (strncmp(name, renamed[i].begins, strlen(renamed[i].begins)) == 0)
			return renamed[i].name;
	return name;
}

/* Takes in one variable; false: its value is none that we can do with. */
static bool take_variable(Elf *elf, int fd, const char *name, uint64_t address,
			  uint64_t *words, int *found)
{
	int32_t value;

	name = former_name(name);
	for (int i = 0; i < NVARIABLES; i++) {
		if (strcmp(variables[i].name, name) != 0)
			continue;
		if (!read_value(elf, fd, address, &value))
			return false;
		++*found;
		if (variables[i].word < 0)
			return value == variables[i].value;
		words[variables[i].word - DT_V8_FIRST] = (uint64_t)(int64_t)value;
	}
	return true;
}

static bool read_variables(Elf *elf, int fd, uint64_t *words)
{
	GElf_Shdr header;
	Elf_Scn *section = dynamic_symbols(elf, &header);
	Elf_Data *data = section != NULL ? elf_getdata(section, NULL) : NULL;
	size_t n =
	    data != NULL && header.sh_entsize != 0 ? data->d_size / header.sh_entsize : 0;
	int found = 0;

	for (size_t i = 0; i < n; i++) {
		GElf_Sym sym;
		const char *name = gelf_getsym(data, (int)i, &sym) != NULL
				       ? elf_strptr(elf, header.sh_link, sym.st_name)
				       : NULL;

		if (name != NULL && strncmp(name, PREFIX, strlen(PREFIX)) == 0 &&
		    sym.st_shndx != SHN_UNDEF &&
		    !take_variable(elf, fd, name + strlen(PREFIX), sym.st_value, words,
				   &found))
			return false;
	}
	return found == NVARIABLES;
}

bool dt_v8_read(int fd, uint64_t words[DT_V8_NWORDS - DT_V8_FIRST])
{
	bool ok;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	ok = elf != NULL && elf_kind(elf) == ELF_K_ELF && read_variables(elf, fd, words);
	elf_end(elf);
	return ok;
}
