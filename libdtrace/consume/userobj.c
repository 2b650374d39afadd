/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userobj.c - see userobj.h.
 *
 * A table is one array ordered by address and one block of names. Symbols may overlap (a
 * local label inside a function, run-time code that replaced older code in the same
 * place), so a look-up that misses the nearest symbol tries a few more before it.
 */
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consume/demangle.h"
#include "consume/minidebug.h"
#include "consume/userobj.h"

#define DEBUG_DIRECTORY "/usr/lib/debug/.build-id/"
#define BUILD_ID_MAX 64 /* bytes */
#define OVERLAP_MAX 16
#define PERF_CHUNK 65536
#define PERF_SIZE_MAX (256L << 20)

typedef struct usersym {
	uint64_t address, size; /* size 0: up to the next symbol */
	uint32_t name;
	uint32_t order; /* which of two at one address is the better: the higher */
	bool is_function;
} usersym_t;

/* A part of the file that is mapped: offsets in the file are addresses in the table. */
typedef struct segment {
	uint64_t offset, size, address;
	bool is_code;
} segment_t;

struct dt_symtab {
	usersym_t *syms;
	size_t nsyms, capacity;
	char *names;
	size_t names_size, names_capacity;
	segment_t *segments;
	size_t nsegments;
	off_t perf_offset; /* how far the perf map has been read */
	uint64_t entry;	   /* address where the program begins; 0: nowhere */
	dt_demangled_t demangled; /* of a file's symbols, which stay as they are */
};

dt_symtab_t *dt_symtab_new(void)
{
	return calloc(1, sizeof(dt_symtab_t));
}

void dt_symtab_destroy(dt_symtab_t *table)
{
	if (table == NULL)
		return;
	dt_demangled_free(&table->demangled, table->nsyms);
	free(table->syms);
	free(table->names);
	free(table->segments);
	free(table);
}

/* ---- Filling ---------------------------------------------------------------- */

static bool add_symbol(dt_symtab_t *table, uint64_t address, uint64_t size, uint32_t order,
		       const char *name, size_t length)
{
	size_t needed = table->names_size + length + 1;

	if (table->nsyms == table->capacity) {
		size_t capacity = table->capacity != 0 ? table->capacity * 2 : 256;
		usersym_t *syms = realloc(table->syms, capacity * sizeof(*syms));

		if (syms == NULL)
			return false;
		table->syms = syms;
		table->capacity = capacity;
	}
	if (needed > table->names_capacity) {
		size_t capacity = needed > 4096 ? needed * 2 : 8192;
		char *names =
		    capacity <= UINT32_MAX ? realloc(table->names, capacity) : NULL;

		if (names == NULL)
			return false;
		table->names = names;
		table->names_capacity = capacity;
	}
	table->syms[table->nsyms++] = (usersym_t){
	    .address = address,
	    .size = size,
	    .name = (uint32_t)table->names_size,
	    .order = order,
	};
	memcpy(table->names + table->names_size, name, length);
	table->names[table->names_size + length] = '\0';
	table->names_size = needed;
	return true;
}

static int compare_symbols(const void *a, const void *b)
{
	const usersym_t *left = a, *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	if (left->order != right->order)
		return left->order < right->order ? -1 : 1;
	/* Of equals, the first in the file is the better and comes last. */
	return left->name > right->name ? -1 : left->name < right->name;
}

static void sort_symbols(dt_symtab_t *table)
{
	if (table->nsyms > 1)
		qsort(table->syms, table->nsyms, sizeof(*table->syms), compare_symbols);
}

/* ---- ELF -------------------------------------------------------------------- */

static bool read_segments(dt_symtab_t *table, Elf *elf)
{
	size_t n, i;

	if (elf_getphdrnum(elf, &n) != 0 || n == 0)
		return true;
	table->segments = calloc(n, sizeof(*table->segments));
	if (table->segments == NULL)
		return false;
	for (i = 0; i < n; i++) {
		GElf_Phdr phdr;

		if (gelf_getphdr(elf, (int)i, &phdr) == NULL || phdr.p_type != PT_LOAD)
			continue;
		table->segments[table->nsegments++] = (segment_t){
		    .offset = phdr.p_offset,
		    .size = phdr.p_filesz,
		    .address = phdr.p_vaddr,
		    .is_code = (phdr.p_flags & PF_X) != 0,
		};
	}
	return true;
}

/* Functions before data, sized before unsized, global before local, few underscores. */
static uint32_t symbol_order(const GElf_Sym *sym, const char *name)
{
	unsigned type = GELF_ST_TYPE(sym->st_info), bind = GELF_ST_BIND(sym->st_info);
	size_t underscores = strspn(name, "_");
	uint32_t order = underscores < 15 ? 15 - (uint32_t)underscores : 0;

	if (bind == STB_GLOBAL)
		order += 64;
	else if (bind == STB_WEAK)
		order += 32;
	if (sym->st_size != 0)
		order += 128;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		order += 256;
	return order;
}

static bool is_named_place(const GElf_Sym *sym)
{
	unsigned type = GELF_ST_TYPE(sym->st_info);

	return sym->st_shndx != SHN_UNDEF && sym->st_shndx != SHN_ABS &&
	       sym->st_value != 0 &&
	       (type == STT_FUNC || type == STT_OBJECT || type == STT_GNU_IFUNC ||
		type == STT_NOTYPE);
}

/* Adds a symbol if it names a place. */
static bool take_symbol(dt_symtab_t *table, const GElf_Sym *sym, const char *name)
{
	/* '$': the marks arm and riscv compilers leave in code. */
	if (!is_named_place(sym) || name == NULL || *name == '\0' || *name == '$')
		return true;
	/* '@': the version of a name, which is not part of it. */
	if (!add_symbol(table, sym->st_value, sym->st_size, symbol_order(sym, name), name,
			strcspn(name, "@")))
		return false;
	table->syms[table->nsyms - 1].is_function = GELF_ST_TYPE(sym->st_info) == STT_FUNC;
	return true;
}

static bool read_symbols(dt_symtab_t *table, Elf *elf, Elf_Scn *section)
{
	GElf_Shdr header;
	Elf_Data *data;
	size_t n, i;

	if (gelf_getshdr(section, &header) == NULL || header.sh_entsize == 0)
		return true;
	data = elf_getdata(section, NULL);
	if (data == NULL)
		return true;
	n = data->d_size / header.sh_entsize;
	for (i = 0; i < n; i++) {
		GElf_Sym sym;

		if (gelf_getsym(data, (int)i, &sym) != NULL &&
		    !take_symbol(table, &sym, elf_strptr(elf, header.sh_link, sym.st_name)))
			return false;
	}
	return true;
}

static Elf_Scn *find_section(Elf *elf, uint32_t type)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section)) != NULL) {
		if (gelf_getshdr(section, &header) != NULL && header.sh_type == type)
			return section;
	}
	return NULL;
}

/* The file's build-id; its length, 0: it has none. */
static size_t find_build_id(Elf *elf, const unsigned char **id)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section)) != NULL) {
		size_t at = 0, next, name, desc;
		GElf_Shdr header;
		GElf_Nhdr note;
		Elf_Data *data;

		if (gelf_getshdr(section, &header) == NULL || header.sh_type != SHT_NOTE ||
		    (data = elf_getdata(section, NULL)) == NULL)
			continue;
		for (; (next = gelf_getnote(data, at, &note, &name, &desc)) != 0; at = next) {
			const char *bytes = data->d_buf;

			if (note.n_type != NT_GNU_BUILD_ID ||
			    note.n_namesz != sizeof(ELF_NOTE_GNU) ||
			    memcmp(bytes + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) != 0)
				continue;
			*id = (const unsigned char *)bytes + desc;
			return note.n_descsz;
		}
	}
	return 0;
}

/*
 * The file that has what was stripped of this one, where packages of debug symbols put it,
 * for the process whose root directory it is or for this one: a descriptor, or -1.
 */
static int open_debug_file(Elf *elf, const char *root)
{
	char path[PATH_MAX], name[2 * BUILD_ID_MAX + 16];
	const unsigned char *id;
	size_t n = find_build_id(elf, &id);
	int length, fd = -1;

	if (n < 2 || n > BUILD_ID_MAX)
		return -1;
	length = snprintf(name, sizeof(name), "%02x/", id[0]);
	for (size_t i = 1; i < n; i++)
		length += snprintf(name + length, sizeof(name) - (size_t)length, "%02x", id[i]);
	snprintf(name + length, sizeof(name) - (size_t)length, ".debug");
	if (root != NULL) {
		snprintf(path, sizeof(path), "%s" DEBUG_DIRECTORY "%s", root, name);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), DEBUG_DIRECTORY "%s", name);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

int dt_debug_file_open(int fd, const char *root)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	int debug = elf == NULL ? -1 : open_debug_file(elf, root);

	elf_end(elf);
	return debug;
}

/* The full symbol table: the file's own, or its debug file's. False: out of memory; *found
 * tells whether there is one. */
static bool read_full_symbols(dt_symtab_t *table, Elf *elf, const char *root, bool *found)
{
	Elf_Scn *section = find_section(elf, SHT_SYMTAB);
	bool ok = true;
	Elf *debug;
	int fd;

	*found = section != NULL;
	if (section != NULL)
		return read_symbols(table, elf, section);
	fd = open_debug_file(elf, root);
	if (fd < 0)
		return true;
	debug = elf_begin(fd, ELF_C_READ, NULL);
	section = debug != NULL ? find_section(debug, SHT_SYMTAB) : NULL;
	*found = section != NULL;
	if (section != NULL)
		ok = read_symbols(table, debug, section);
	elf_end(debug);
	close(fd);
	return ok;
}

static bool take_minisym(const GElf_Sym *sym, const char *name, void *arg)
{
	return take_symbol(arg, sym, name);
}

/* What is left in a stripped file is the dynamic table, and at times a compressed one with
 * the rest. fd: the file's, or -1. */
static bool read_all_symbols(dt_symtab_t *table, Elf *elf, int fd, const char *root)
{
	Elf_Scn *dynamic;
	bool found;

	if (!read_full_symbols(table, elf, root, &found))
		return false;
	if (!found && fd >= 0 && dt_minidebug_is_there(elf))
		return dt_minidebug_symbols(fd, take_minisym, table);
	dynamic = found ? NULL : find_section(elf, SHT_DYNSYM);
	return dynamic == NULL || read_symbols(table, elf, dynamic);
}

static dt_symtab_t *read_elf(Elf *elf, int fd, const char *root)
{
	dt_symtab_t *table = dt_symtab_new();
	GElf_Ehdr header;

	if (table == NULL || elf == NULL || elf_kind(elf) != ELF_K_ELF)
		return table;
	if (gelf_getehdr(elf, &header) != NULL)
		table->entry = header.e_entry;
	if (!read_segments(table, elf) || !read_all_symbols(table, elf, fd, root)) {
		dt_symtab_destroy(table);
		return NULL;
	}
	sort_symbols(table);
	return table;
}

dt_symtab_t *dt_symtab_elf(int fd, const char *root)
{
	dt_symtab_t *table;
	Elf *elf;

	elf_version(EV_CURRENT);
	/* Read, not mapped: a file that is cut short meanwhile must not raise SIGBUS. */
	elf = elf_begin(fd, ELF_C_READ, NULL);
	table = read_elf(elf, fd, root);
	elf_end(elf);
	return table;
}

dt_symtab_t *dt_symtab_elf_image(char *image, size_t size)
{
	dt_symtab_t *table;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_memory(image, size);
	table = read_elf(elf, -1, NULL);
	elf_end(elf);
	return table;
}

/* ---- Perf maps --------------------------------------------------------------- */

/* "7f1234 40 name of the function" */
static bool add_perf_line(dt_symtab_t *table, char *line)
{
	uint64_t address, size;
	char *rest;

	address = strtoull(line, &rest, 16);
	if (*rest != ' ')
		return true;
	size = strtoull(rest, &rest, 16);
	if (*rest != ' ' || rest[1] == '\0' || size == 0)
		return true;
	/* The later one is what stands there now. */
	return add_symbol(table, address, size, (uint32_t)table->nsyms, rest + 1,
			  strlen(rest + 1));
}

/* Whole lines of the chunk; *used gets how many bytes they were. */
static bool add_perf_lines(dt_symtab_t *table, char *chunk, size_t size, size_t *used)
{
	char *line = chunk, *end = chunk + size, *newline;

	while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		*newline = '\0';
		if (!add_perf_line(table, line))
			return false;
		line = newline + 1;
	}
	*used = (size_t)(line - chunk);
	return true;
}

bool dt_symtab_read_perf(dt_symtab_t *table, int fd)
{
	size_t before = table->nsyms, used = 0;
	char *chunk;
	struct stat st;
	bool ok = true;
	ssize_t n;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > PERF_SIZE_MAX ||
	    st.st_size == table->perf_offset)
		return true;
	if (st.st_size < table->perf_offset) {
		table->nsyms = table->names_size = before = 0;
		table->perf_offset = 0;
	}
	chunk = malloc(PERF_CHUNK);
	if (chunk == NULL)
		return false;
	while (ok && (n = pread(fd, chunk, PERF_CHUNK, table->perf_offset)) > 0) {
		ok = add_perf_lines(table, chunk, (size_t)n, &used);
		if (used == 0 && n == PERF_CHUNK)
			used = PERF_CHUNK; /* a line that long is no symbol */
		if (used == 0)
			break;
		table->perf_offset += (off_t)used;
	}
	free(chunk);
	if (table->nsyms != before)
		sort_symbols(table);
	return ok;
}

/* ---- Look-up ------------------------------------------------------------------ */

/* Offset in the file to address in the table. */
static bool to_address(const dt_symtab_t *table, uint64_t position, uint64_t *address)
{
	size_t i;

	for (i = 0; i < table->nsegments; i++) {
		const segment_t *segment = &table->segments[i];

		if (position - segment->offset < segment->size) {
			*address = position - segment->offset + segment->address;
			return true;
		}
	}
	*address = position;
	return table->nsegments == 0;
}

/* The other way; false: it is not code of the file. */
static bool to_position(const dt_symtab_t *table, uint64_t address, uint64_t *position)
{
	for (size_t i = 0; i < table->nsegments; i++) {
		const segment_t *segment = &table->segments[i];

		if (segment->is_code && address - segment->address < segment->size) {
			*position = address - segment->address + segment->offset;
			return true;
		}
	}
	return false;
}

bool dt_symtab_entry(const dt_symtab_t *table, uint64_t *position)
{
	return table->entry != 0 && to_position(table, table->entry, position);
}

int dt_symtab_functions(const dt_symtab_t *table, dt_userfunc_f *f, void *arg)
{
	int rv = 0;

	for (size_t i = 0; i < table->nsyms && rv == 0; i++) {
		const usersym_t *sym = &table->syms[i];
		dt_userfunc_t function = {.name = table->names + sym->name, .size = sym->size};

		if (sym->is_function && to_position(table, sym->address, &function.position))
			rv = f(&function, arg);
	}
	return rv;
}

static const usersym_t *find_symbol(const dt_symtab_t *table, uint64_t position,
				    uint64_t *offset)
{
	size_t low = 0, high = table->nsyms, i;
	uint64_t address;

	if (!to_address(table, position, &address))
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->syms[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (i = low; i > 0 && low - i < OVERLAP_MAX; i--) {
		const usersym_t *sym = &table->syms[i - 1];
		bool is_nearest = sym->address == table->syms[low - 1].address;

		if (address - sym->address < sym->size || (sym->size == 0 && is_nearest)) {
			*offset = address - sym->address;
			return sym;
		}
	}
	return NULL;
}

const char *dt_symtab_lookup(const dt_symtab_t *table, uint64_t position, uint64_t *offset)
{
	const usersym_t *sym = find_symbol(table, position, offset);

	return sym != NULL ? table->names + sym->name : NULL;
}

const char *dt_symtab_demangled(dt_symtab_t *table, uint64_t position, uint64_t *offset)
{
	const usersym_t *sym = find_symbol(table, position, offset);

	return sym != NULL ? dt_demangled(&table->demangled, table->nsyms,
					  (size_t)(sym - table->syms), table->names + sym->name)
			   : NULL;
}
