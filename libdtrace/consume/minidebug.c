/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minidebug.c - see minidebug.h. Distributions that strip their programs leave the names of
 * functions in a section .gnu_debugdata: an ELF file with a symbol table and nothing else,
 * compressed by xz. elfutils' libdwfl unpacks it, and joins it to the dynamic table, with
 * which it has no symbols in common.
 */
#include <elfutils/libdwfl.h>
#include <string.h>
#include <unistd.h>

#include "consume/minidebug.h"

#define SECTION ".gnu_debugdata"

bool dt_minidebug_is_there(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	const char *name;
	size_t strings;

	if (elf_getshdrstrndx(elf, &strings) != 0)
		return false;
	while ((section = elf_nextscn(elf, section)) != NULL) {
		name = gelf_getshdr(section, &header) != NULL
			   ? elf_strptr(elf, strings, header.sh_name)
			   : NULL;
		if (name != NULL && strcmp(name, SECTION) == 0)
			return true;
	}
	return false;
}

/* No other file is wanted: those for build-ids have been looked for before. */
static int find_nothing(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
			const char *file, const char *link, GElf_Word crc, char **path)
{
	(void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc;
	(void)path;
	return -1;
}

bool dt_minidebug_symbols(int fd, dt_minisym_f *f, void *arg)
{
	static const Dwfl_Callbacks callbacks = {.find_debuginfo = find_nothing,
						 .section_address =
						     dwfl_offline_section_address};
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Dwfl_Module *module = NULL;
	bool goes_on = true;
	int n = 0, copy;

	if (dwfl == NULL)
		return true;
	copy = dup(fd); /* it is the library's then, unless it fails */
	if (copy >= 0)
		module = dwfl_report_offline(dwfl, "", "", copy);
	if (module == NULL && copy >= 0)
		close(copy);
	if (module != NULL && dwfl_report_end(dwfl, NULL, NULL) == 0)
		n = dwfl_module_getsymtab(module);
	for (int i = 0; i < n && goes_on; i++) {
		GElf_Sym sym;
		GElf_Addr address;
		const char *name =
		    dwfl_module_getsym_info(module, i, &sym, &address, NULL, NULL, NULL);

		if (name != NULL)
			goes_on = f(&sym, name, arg);
	}
	dwfl_end(dwfl);
	return goes_on;
}
