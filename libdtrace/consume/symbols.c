/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbols.c - kernel addresses to names and back, by /proc/kallsyms.
 *
 * The kernel lists some hundred thousand symbols, without sizes: one reaches to the next.
 * They are read once, on first need, into one array ordered by address and one block of
 * names. Look-ups by address are many (every frame of every stack) and take a binary
 * search; look-ups by name are a few a program and walk the array.
 *
 * Where kptr_restrict hides addresses every symbol reads as 0: then none is known, which
 * is better than a wrong one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "consume/demangle.h"
#include "consume/jstack.h"
#include "consume/output.h"
#include "consume/symbols.h"

#define KALLSYMS "/proc/kallsyms"
#define READ_SIZE 65536
#define KERNEL_MODULE "vmlinux"
/* Below stand offsets of per-CPU variables, not addresses. */
#define ADDRESS_MIN 0x1000000
/* How far the last symbol of a module may reach. */
#define LAST_SYMBOL_MAX 65536

typedef struct dt_kernelsym {
	uint64_t address;
	uint32_t name; /* offset in names */
	uint16_t module;
	char type; /* as nm(1) has it */
} dt_kernelsym_t;

typedef struct dt_kernelmod {
	uint32_t name;	  /* offset in names */
	uint64_t address; /* of its first symbol */
} dt_kernelmod_t;

typedef struct dt_kernelsyms {
	dt_kernelsym_t *syms; /* by address */
	size_t nsyms, capacity;
	char *names;
	size_t names_size, names_capacity;
	dt_kernelmod_t *mods;
	size_t nmods;
	dt_demangled_t demangled; /* there is Rust in the kernel */
} dt_kernelsyms_t;

/* ---- Reading --------------------------------------------------------------- */

/* Offset of a copy of the name, or -1: out of memory. */
static int64_t add_name(dt_kernelsyms_t *table, const char *name, size_t length)
{
	size_t offset = table->names_size;

	if (offset + length + 1 > table->names_capacity) {
		size_t capacity =
		    table->names_capacity != 0 ? table->names_capacity * 2 : 1 << 20;
		char *names;

		if (capacity > UINT32_MAX)
			return -1;
		names = realloc(table->names, capacity);
		if (names == NULL)
			return -1;
		table->names = names;
		table->names_capacity = capacity;
	}
	memcpy(table->names + offset, name, length);
	table->names[offset + length] = '\0';
	table->names_size += length + 1;
	return (int64_t)offset;
}

/* Number of the module of that name, added when new; symbols come grouped by module. */
static int find_module(dt_kernelsyms_t *table, const char *name, size_t length)
{
	dt_kernelmod_t *mods;
	int64_t offset;
	size_t i = table->nmods;

	while (i-- > 0) {
		const char *known = table->names + table->mods[i].name;

		if (strncmp(known, name, length) == 0 && known[length] == '\0')
			return (int)i;
	}
	if (table->nmods == UINT16_MAX)
		return -1;
	mods = realloc(table->mods, (table->nmods + 1) * sizeof(*mods));
	if (mods == NULL)
		return -1;
	table->mods = mods;
	offset = add_name(table, name, length);
	if (offset < 0)
		return -1;
	mods[table->nmods] =
	    (dt_kernelmod_t){.name = (uint32_t)offset, .address = UINT64_MAX};
	return (int)table->nmods++;
}

static int add_symbol(dt_kernelsyms_t *table, uint64_t address, char type, const char *name,
		      size_t length, int module)
{
	int64_t offset;

	if (table->nsyms == table->capacity) {
		size_t capacity = table->capacity != 0 ? table->capacity * 2 : 1 << 16;
		dt_kernelsym_t *syms = realloc(table->syms, capacity * sizeof(*syms));

		if (syms == NULL)
			return -1;
		table->syms = syms;
		table->capacity = capacity;
	}
	offset = add_name(table, name, length);
	if (offset < 0)
		return -1;
	table->syms[table->nsyms++] = (dt_kernelsym_t){
	    .address = address,
	    .name = (uint32_t)offset,
	    .module = (uint16_t)module,
	    .type = type,
	};
	if (address < table->mods[module].address)
		table->mods[module].address = address;
	return 0;
}

/* One line: "ffffffff81000000 T name" and, for a module's, "\t[module]". */
static int add_line(dt_kernelsyms_t *table, const char *line, const char *end)
{
	const char *name, *tab;
	uint64_t address = 0;
	int module = 0;
	char type;

	for (; line < end && *line != ' '; line++) {
		unsigned digit = (unsigned char)*line;

		digit = digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
		if (digit > 15)
			return 0;
		address = address << 4 | digit;
	}
	if (end - line < 4 || address < ADDRESS_MIN)
		return 0;
	type = line[1];
	name = line + 3;
	/* Absolute values, and the marks arm compilers leave in code, name no place. */
	if (type == 'a' || type == 'A' || type == 'U' || *name == '$')
		return 0;
	tab = memchr(name, '\t', (size_t)(end - name));
	if (tab != NULL && end - tab > 3) {
		module = find_module(table, tab + 2, (size_t)(end - tab) - 3);
		if (module < 0)
			return -1;
	}
	return add_symbol(table, address, type, name,
			  (size_t)((tab != NULL ? tab : end) - name), module);
}

/* Hands every line of the file to add_line(). */
static int read_lines(dt_kernelsyms_t *table, int fd, char *buf)
{
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, buf + have, READ_SIZE - have)) != 0) {
		char *line = buf, *end = buf + have + (n > 0 ? n : 0), *newline;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
			if (add_line(table, line, newline) < 0)
				return -1;
			line = newline + 1;
		}
		have = (size_t)(end - line);
		if (have == READ_SIZE)
			return -1;
		memmove(buf, line, have);
	}
	return 0;
}

static int compare_addresses(const void *a, const void *b)
{
	const dt_kernelsym_t *left = a, *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	/* The kernel's own order, which is the order names were added in. */
	return left->name < right->name ? -1 : left->name > right->name;
}

static void sort_symbols(dt_kernelsyms_t *table)
{
	size_t i;

	for (i = 1; i < table->nsyms; i++) {
		if (table->syms[i].address < table->syms[i - 1].address) {
			qsort(table->syms, table->nsyms, sizeof(*table->syms),
			      compare_addresses);
			return;
		}
	}
}

static void read_kallsyms(dt_kernelsyms_t *table)
{
	char *buf = malloc(READ_SIZE);
	int fd = open(KALLSYMS, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || buf == NULL ||
	    find_module(table, KERNEL_MODULE, sizeof(KERNEL_MODULE) - 1) != 0 ||
	    read_lines(table, fd, buf) < 0)
		table->nsyms = 0;
	sort_symbols(table);
	if (fd >= 0)
		close(fd);
	free(buf);
}

struct dt_symbols *dt_symbols(dtrace_hdl_t *hdl)
{
	if (hdl->symbols == NULL)
		hdl->symbols = calloc(1, sizeof(*hdl->symbols));
	return hdl->symbols;
}

/* The kernel's symbols, read on first use; NULL: none are known. */
static dt_kernelsyms_t *kernel_symbols(dtrace_hdl_t *hdl)
{
	struct dt_symbols *symbols = dt_symbols(hdl);

	if (symbols == NULL || (hdl->oflags & DTRACE_O_NOSYS))
		return NULL;
	if (symbols->kernel == NULL) {
		symbols->kernel = calloc(1, sizeof(*symbols->kernel));
		if (symbols->kernel == NULL)
			return NULL;
		read_kallsyms(symbols->kernel);
	}
	return symbols->kernel->nsyms != 0 ? symbols->kernel : NULL;
}

static void kernel_symbols_free(dt_kernelsyms_t *table)
{
	if (table == NULL)
		return;
	dt_demangled_free(&table->demangled, table->nsyms);
	free(table->syms);
	free(table->names);
	free(table->mods);
	free(table);
}

void dt_symbols_fini(dtrace_hdl_t *hdl)
{
	if (hdl->symbols == NULL)
		return;
	kernel_symbols_free(hdl->symbols->kernel);
	dt_user_symbols_fini(hdl->symbols->user);
	dt_jstack_fini(hdl);
	free(hdl->symbols);
	hdl->symbols = NULL;
}

int dtrace_update(dtrace_hdl_t *hdl)
{
	dt_symbols_fini(hdl);
	return 0;
}

/* ---- By address ------------------------------------------------------------ */

/* The lower, the better a name for its address: code, global, few underscores. */
static int name_rank(const dt_kernelsyms_t *table, const dt_kernelsym_t *sym)
{
	const char *name = table->names + sym->name;
	int rank = (int)strspn(name, "_");

	if (sym->type == 't' || sym->type == 'w' || sym->type == 'W')
		rank += 16;
	else if (sym->type != 'T')
		rank += 32;
	return rank;
}

/* The symbol that covers an address; NULL: none. */
static const dt_kernelsym_t *find_address(const dt_kernelsyms_t *table, uint64_t address)
{
	size_t low = 0, high = table->nsyms;
	const dt_kernelsym_t *last, *best;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->syms[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	best = last = &table->syms[low - 1];
	if ((low == table->nsyms || table->syms[low].module != last->module) &&
	    address - last->address >= LAST_SYMBOL_MAX)
		return NULL;
	for (; low > 0 && table->syms[low - 1].address == last->address; low--) {
		if (name_rank(table, &table->syms[low - 1]) <= name_rank(table, best))
			best = &table->syms[low - 1];
	}
	return best;
}

static const char *module_name(const dt_kernelsyms_t *table, const dt_kernelsym_t *sym)
{
	return table->names + table->mods[sym->module].name;
}

bool dt_kernel_symbol(dtrace_hdl_t *hdl, uint64_t address, const char **module,
		      const char **name, uint64_t *offset)
{
	dt_kernelsyms_t *table = kernel_symbols(hdl);
	const dt_kernelsym_t *sym = table != NULL ? find_address(table, address) : NULL;

	if (sym == NULL)
		return false;
	*module = module_name(table, sym);
	*name = table->names + sym->name;
	if (dt_option_is_on(hdl, DT_OPT_DEMANGLE))
		*name = dt_demangled(&table->demangled, table->nsyms,
				     (size_t)(sym - table->syms), *name);
	*offset = address - sym->address;
	return true;
}

uint64_t dt_kernel_module_address(dtrace_hdl_t *hdl, uint64_t address)
{
	const dt_kernelsyms_t *table = kernel_symbols(hdl);
	const dt_kernelsym_t *sym = table != NULL ? find_address(table, address) : NULL;

	return sym != NULL ? table->mods[sym->module].address : 0;
}

int dtrace_addr2str(dtrace_hdl_t *hdl, uint64_t address, char *buf, int size)
{
	size_t room = size > 0 ? (size_t)size : 0;
	const char *module, *name;
	uint64_t offset;

	if (!dt_kernel_symbol(hdl, address, &module, &name, &offset))
		return snprintf(buf, room, "0x%" PRIx64, address);
	if (offset == 0)
		return snprintf(buf, room, "%s`%s", module, name);
	return snprintf(buf, room, "%s`%s+0x%" PRIx64, module, name, offset);
}

/* ---- By name --------------------------------------------------------------- */

/* module NULL: any. A global symbol is preferred to a local one. */
static const dt_kernelsym_t *find_name(const dt_kernelsyms_t *table, const char *module,
				       const char *name)
{
	const dt_kernelsym_t *found = NULL;
	size_t i;

	for (i = 0; i < table->nsyms; i++) {
		const dt_kernelsym_t *sym = &table->syms[i];

		if (strcmp(table->names + sym->name, name) != 0 ||
		    (module != NULL && strcmp(module_name(table, sym), module) != 0))
			continue;
		if (sym->type < 'a')
			return sym;
		if (found == NULL)
			found = sym;
	}
	return found;
}

uint64_t dt_kernel_address(dtrace_hdl_t *hdl, const char *name)
{
	const dt_kernelsyms_t *table = kernel_symbols(hdl);
	const dt_kernelsym_t *sym = table != NULL ? find_name(table, NULL, name) : NULL;

	return sym != NULL ? sym->address : 0;
}

static void fill_symbol(const dt_kernelsyms_t *table, const dt_kernelsym_t *sym,
			GElf_Sym *elf, dtrace_syminfo_t *info)
{
	const dt_kernelsym_t *next = sym, *end = table->syms + table->nsyms;
	bool is_code = (sym->type | 0x20) == 't' || (sym->type | 0x20) == 'w';

	while (next < end && next->address == sym->address)
		next++;
	if (elf != NULL) {
		memset(elf, 0, sizeof(*elf));
		elf->st_value = sym->address;
		elf->st_size = next < end && next->module == sym->module
				   ? next->address - sym->address
				   : 0;
		elf->st_info = ELF64_ST_INFO(sym->type < 'a' ? STB_GLOBAL : STB_LOCAL,
					     is_code ? STT_FUNC : STT_OBJECT);
		elf->st_shndx = SHN_ABS;
	}
	if (info != NULL) {
		info->dts_object = module_name(table, sym);
		info->dts_name = table->names + sym->name;
		info->dts_id = (unsigned long)(sym - table->syms);
	}
}

int dtrace_lookup_by_name(dtrace_hdl_t *hdl, const char *object, const char *name,
			  GElf_Sym *elf, dtrace_syminfo_t *info)
{
	const dt_kernelsyms_t *table = kernel_symbols(hdl);
	const dt_kernelsym_t *sym;

	if (object == DTRACE_OBJ_EVERY || object == DTRACE_OBJ_KMODS)
		object = NULL;
	else if (object == DTRACE_OBJ_EXEC)
		object = KERNEL_MODULE;
	else if (object == DTRACE_OBJ_RTLD || object == DTRACE_OBJ_CDEFS ||
		 object == DTRACE_OBJ_DDEFS || object == DTRACE_OBJ_UMODS)
		return dt_set_error(hdl, EDT_NOSYM, "no kernel symbol %s in such an object",
				    name);
	sym = table != NULL ? find_name(table, object, name) : NULL;
	if (sym == NULL)
		return dt_set_error(hdl, EDT_NOSYM, "no kernel symbol %s%s%s",
				    object != NULL ? object : "", object != NULL ? "`" : "",
				    name);
	fill_symbol(table, sym, elf, info);
	return 0;
}

int dtrace_lookup_by_addr(dtrace_hdl_t *hdl, GElf_Addr address, GElf_Sym *elf,
			  dtrace_syminfo_t *info)
{
	const dt_kernelsyms_t *table = kernel_symbols(hdl);
	const dt_kernelsym_t *sym = table != NULL ? find_address(table, address) : NULL;

	if (sym == NULL)
		return dt_set_error(hdl, EDT_NOSYMADDR,
				    "no kernel symbol is known for 0x%" PRIx64, address);
	fill_symbol(table, sym, elf, info);
	return 0;
}
