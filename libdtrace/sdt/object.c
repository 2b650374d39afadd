/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.c - dtrace -G: the object file that build systems link after the others.
 *
 * Elsewhere this step replaces the calls of probes by nops and gathers where they were.
 *Here each object carries the notes of its probes, so nothing is left to patch and the
 *objects are only looked at: whether they are there, and for which machine. What the object
 *defines is the semaphore of each probe, for programs whose header (SystemTap's makes such)
 *declares them without defining them. They are weak, as those of our own header are:
 *
 *	.probes		a 16-bit 0 for each probe, at its symbol
 *myserv_query__start_semaphore .symtab		those symbols, weak and hidden .strtab
 *names of symbols and of sections
 *	.note.GNU-stack	empty: the object needs no executable stack
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "sdt/sdt.h"

enum { SECTION_PROBES = 1, SECTION_STRTAB = 3 };

typedef struct dt_sdtobject {
	unsigned char ident[EI_NIDENT];
	GElf_Half machine;
	GElf_Word flags;

	char *strings;
	size_t nstrings, strings_capacity;
	GElf_Sym *symbols;
	size_t nsymbols, symbols_capacity;
} dt_sdtobject_t;

/* ---- The objects that are given -------------------------------------------------------
 */

/* Takes the machine of one object. */
static int dt_sdt_read_header(dtrace_hdl_t *hdl, const char *path, dt_sdtobject_t *object)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	GElf_Ehdr header;
	bool is_object;
	Elf *elf;

	if (fd < 0)
		return dt_set_error(hdl, errno, "%s: %s", path, strerror(errno));
	elf = elf_begin(fd, ELF_C_READ, NULL);
	is_object =
	    elf != NULL && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header) != NULL;
	if (is_object) {
		memcpy(object->ident, header.e_ident, sizeof(object->ident));
		object->machine = header.e_machine;
		object->flags = header.e_flags;
	}
	/* Archives hold objects; which machine's the others tell. */
	is_object = is_object || (elf != NULL && elf_kind(elf) == ELF_K_AR);
	elf_end(elf);
	close(fd);
	if (!is_object)
		return dt_set_error(hdl, EINVAL, "%s: not an object file", path);
	return 0;
}

static int dt_sdt_read_headers(dtrace_hdl_t *hdl, int count, char *const paths[],
			       dt_sdtobject_t *object)
{
	object->ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	object->ident[EI_DATA] =
	    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	object->machine = DT_ARCH_ELF_MACHINE;
	for (int i = 0; i < count; i++) {
		if (dt_sdt_read_header(hdl, paths[i], object) != 0)
			return -1;
	}
	return 0;
}

/* ---- Symbols ---------------------------------------------------------------------------
 */

/* Appends a string with its NUL; where it begins, or 0 when memory is out. */
static size_t dt_sdt_string(dt_sdtobject_t *object, const char *text)
{
	size_t at = object->nstrings, length = strlen(text) + 1;

	if (at + length > object->strings_capacity) {
		size_t capacity = 2 * object->strings_capacity + length + 256;
		char *grown = realloc(object->strings, capacity);

		if (grown == NULL)
			return 0;
		object->strings = grown;
		object->strings_capacity = capacity;
	}
	memcpy(object->strings + at, text, length);
	object->nstrings += length;
	return at;
}

static bool dt_sdt_symbol(dt_sdtobject_t *object, const GElf_Sym *symbol)
{
	if (object->nsymbols == object->symbols_capacity) {
		size_t capacity = 2 * object->symbols_capacity + 16;
		GElf_Sym *grown = reallocarray(object->symbols, capacity, sizeof(*grown));

		if (grown == NULL)
			return false;
		object->symbols = grown;
		object->symbols_capacity = capacity;
	}
	object->symbols[object->nsymbols++] = *symbol;
	return true;
}

static int dt_sdt_add_provider(dtrace_hdl_t *hdl, const dt_provdecl_t *provider, void *arg)
{
	dt_sdtobject_t *object = arg;

	for (const dt_probedecl_t *probe = provider->probes; probe; probe = probe->next) {
		char name[DT_SDT_SYMBOLLEN];
		GElf_Sym symbol = {
		    .st_info = GELF_ST_INFO(STB_WEAK, STT_OBJECT),
		    .st_other = STV_HIDDEN,
		    .st_shndx = SECTION_PROBES,
		    .st_value = (object->nsymbols - 1) * sizeof(uint16_t),
		    .st_size = sizeof(uint16_t),
		};

		dt_sdt_semaphore(provider, probe, name, sizeof(name));
		symbol.st_name = (GElf_Word)dt_sdt_string(object, name);
		if (symbol.st_name == 0 || !dt_sdt_symbol(object, &symbol))
			return dt_set_errno(hdl, EDT_NOMEM);
	}
	return 0;
}

/* Number 0 of either is nobody's. */
static int dt_sdt_add_symbols(dtrace_hdl_t *hdl, dt_sdtobject_t *object)
{
	const GElf_Sym none = {0};

	(void)dt_sdt_string(object, "");
	if (object->nstrings == 0 || !dt_sdt_symbol(object, &none))
		return dt_set_errno(hdl, EDT_NOMEM);
	return dt_sdt_providers(hdl, dt_sdt_add_provider, object);
}

/* ---- The file
 * ---------------------------------------------------------------------------- */

static bool dt_sdt_add_section(Elf *elf, dt_sdtobject_t *object, const char *name,
			       GElf_Shdr header, const Elf_Data *content)
{
	Elf_Scn *section = elf_newscn(elf);
	Elf_Data *data = section != NULL ? elf_newdata(section) : NULL;
	GElf_Shdr given;

	if (data == NULL)
		return false;
	data->d_buf = content->d_buf;
	data->d_size = content->d_size;
	data->d_type = content->d_type;
	data->d_align = header.sh_addralign;
	data->d_version = EV_CURRENT;
	if (gelf_getshdr(section, &given) == NULL)
		return false;
	header.sh_name = (GElf_Word)dt_sdt_string(object, name);
	return header.sh_name != 0 && gelf_update_shdr(section, &header) != 0;
}

static bool dt_sdt_set_header(Elf *elf, const dt_sdtobject_t *object)
{
	GElf_Ehdr header = {0};

	if (gelf_newehdr(elf, object->ident[EI_CLASS]) == NULL ||
	    gelf_getehdr(elf, &header) == NULL)
		return false;
	header.e_ident[EI_DATA] = object->ident[EI_DATA];
	header.e_type = ET_REL;
	header.e_machine = object->machine;
	header.e_flags = object->flags;
	header.e_version = EV_CURRENT;
	header.e_shstrndx = SECTION_STRTAB;
	return gelf_update_ehdr(elf, &header) != 0;
}

/* Fills the symbols' section, whose entries' size depends on the class. */
static bool dt_sdt_set_symbols(Elf *elf, const dt_sdtobject_t *object)
{
	Elf_Data *data = elf_getdata(elf_getscn(elf, SECTION_PROBES + 1), NULL);

	for (size_t i = 0; i < object->nsymbols; i++) {
		GElf_Sym symbol = object->symbols[i];

		if (gelf_update_sym(data, (int)i, &symbol) == 0)
			return false;
	}
	return true;
}

/* Zeroes are room for the symbols, and behind them for the contents of .probes. */
static bool dt_sdt_fill(Elf *elf, dt_sdtobject_t *object, void *zeroes)
{
	size_t entry = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT),
	       nprobes = object->nsymbols - 1;
	void *values = (GElf_Sym *)zeroes + object->nsymbols;
	Elf_Data *strings;

	if (!dt_sdt_add_section(elf, object, ".probes",
				(GElf_Shdr){.sh_type = SHT_PROGBITS,
					    .sh_flags = SHF_ALLOC | SHF_WRITE,
					    .sh_addralign = sizeof(uint16_t)},
				&(Elf_Data){.d_buf = values,
					    .d_size = nprobes * sizeof(uint16_t),
					    .d_type = ELF_T_BYTE}) ||
	    !dt_sdt_add_section(elf, object, ".symtab",
				(GElf_Shdr){.sh_type = SHT_SYMTAB,
					    .sh_link = SECTION_STRTAB,
					    .sh_info = 1, /* the first that is not local */
					    .sh_entsize = entry,
					    .sh_addralign = 8},
				&(Elf_Data){.d_buf = zeroes,
					    .d_size = object->nsymbols * entry,
					    .d_type = ELF_T_SYM}) ||
	    !dt_sdt_add_section(elf, object, ".strtab",
				(GElf_Shdr){.sh_type = SHT_STRTAB, .sh_addralign = 1},
				&(Elf_Data){.d_type = ELF_T_BYTE}) ||
	    !dt_sdt_add_section(elf, object, ".note.GNU-stack",
				(GElf_Shdr){.sh_type = SHT_PROGBITS, .sh_addralign = 1},
				&(Elf_Data){.d_type = ELF_T_BYTE}))
		return false;
	/* By now all names are known. */
	strings = elf_getdata(elf_getscn(elf, SECTION_STRTAB), NULL);
	strings->d_buf = object->strings;
	strings->d_size = object->nstrings;
	return dt_sdt_set_symbols(elf, object);
}

static int dt_sdt_write(dtrace_hdl_t *hdl, int fd, dt_sdtobject_t *object)
{
	void *zeroes = calloc(object->nsymbols, sizeof(GElf_Sym) + sizeof(uint16_t));
	Elf *elf = elf_begin(fd, ELF_C_WRITE, NULL);
	int rv = 0;

	if (zeroes == NULL)
		rv = dt_set_errno(hdl, EDT_NOMEM);
	else if (elf == NULL || !dt_sdt_set_header(elf, object) ||
		 !dt_sdt_fill(elf, object, zeroes) || elf_update(elf, ELF_C_WRITE) < 0)
		rv = dt_set_error(hdl, EIO, "%s", elf_errmsg(-1));
	elf_end(elf);
	free(zeroes);
	return rv;
}

static int dt_sdt_create(dtrace_hdl_t *hdl, const char *path, dt_sdtobject_t *object)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	bool is_file;
	struct stat st;
	int rv;

	if (fd < 0)
		return dt_set_error(hdl, errno, "%s: %s", path, strerror(errno));
	is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	rv = dt_sdt_write(hdl, fd, object);
	if (close(fd) != 0 && rv == 0)
		rv = dt_set_error(hdl, errno, "%s: %s", path, strerror(errno));
	/* What is no file, /dev/full say, stays. */
	if (rv != 0 && is_file)
		unlink(path);
	return rv;
}

int dtrace_program_link(dtrace_hdl_t *hdl, dtrace_prog_t *prog, uint_t flags,
			const char *path, int count, char *const objects[])
{
	dt_sdtobject_t object = {0};
	int rv = -1;

	(void)flags;
	if (prog->clauses != NULL)
		return dt_set_error(
		    hdl, EDT_NOTHERE,
		    "clauses cannot be put into an object file, only providers");
	elf_version(EV_CURRENT);
	if (dt_sdt_read_headers(hdl, count, objects, &object) == 0 &&
	    dt_sdt_add_symbols(hdl, &object) == 0)
		rv = dt_sdt_create(hdl, path != NULL ? path : "d.out", &object);
	free(object.strings);
	free(object.symbols);
	return rv;
}
