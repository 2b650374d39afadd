/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usdtimage.c - an ELF file that declares static probes as <sys/sdt.h> does, without a
 * compiler. In the file, and at the same distances in memory:
 *
 *	0		ELF header and program headers	|
 *	CODE_START	.stapsdt.base, one byte		| readable, executable
 *			.text, a place for each probe	|
 *	next page	.probes, the semaphores		  readable, writable
 *			.note.stapsdt			  from here on only in the file
 *			.note.gnu.build-id		  perf wants one
 *			.symtab .strtab .shstrtab	  places named like probes
 *			section headers
 *
 * A place is called as a function of six words: the first five arguments of the probe, and
 * where all of them are in memory. So a note says of the first five in which register they
 * are, and of the others that they are in memory at the sixth.
 */
#include "usdt.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ---- What depends on the architecture ---------------------------------------------- */

#if defined(__x86_64__)

#define MACHINE EM_X86_64
static const char *const registers[] = {"%rdi", "%rsi", "%rdx", "%rcx", "%r8"};
#define MEMORY "%zu(%%r9)"
/* What a tracer's breakpoint takes the place of is a nop, then comes a ret. Kernels before
 * 6.18 pass over a nop of one byte without stepping through it; later ones make of one of
 * five bytes a call, which costs a third of a breakpoint. */
static const unsigned char short_place[] = {0x90, 0xc3};
static const unsigned char long_place[] = {0x0f, 0x1f, 0x44, 0x00, 0x00, 0xc3};
#define LONG_PLACE_MAJOR 6
#define LONG_PLACE_MINOR 18

#else
#error "probes of JavaScript are not supported on this architecture"
#endif

#define NREGISTERS (sizeof(registers) / sizeof(registers[0]))

/* ---- The file ------------------------------------------------------------------------ */

#define PLACE_SIZE 16 /* bytes from one place to the next */
#define CODE_START 256
#define FIRST_PLACE (CODE_START + PLACE_SIZE)

enum {
	SECTION_NULL,
	SECTION_BASE,
	SECTION_TEXT,
	SECTION_PROBES,
	SECTION_STAPSDT,
	SECTION_BUILD_ID,
	SECTION_SYMTAB,
	SECTION_STRTAB,
	SECTION_SHSTRTAB,
	NSECTIONS
};

static const struct {
	const char *name;
	Elf64_Word type;
	Elf64_Xword flags;
} sections[NSECTIONS] = {
    [SECTION_NULL] = {"", SHT_NULL, 0},
    [SECTION_BASE] = {".stapsdt.base", SHT_PROGBITS, SHF_ALLOC},
    [SECTION_TEXT] = {".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR},
    [SECTION_PROBES] = {".probes", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE},
    [SECTION_STAPSDT] = {".note.stapsdt", SHT_NOTE, 0},
    [SECTION_BUILD_ID] = {".note.gnu.build-id", SHT_NOTE, 0},
    [SECTION_SYMTAB] = {".symtab", SHT_SYMTAB, 0},
    [SECTION_STRTAB] = {".strtab", SHT_STRTAB, 0},
    [SECTION_SHSTRTAB] = {".shstrtab", SHT_STRTAB, 0},
};

/* The file as it grows; nothing is added any more once memory has run out. */
typedef struct da_writer {
	da_usdtimage_t *image;
	const da_usdtspec_t *spec;
	Elf64_Shdr headers[NSECTIONS];
	const unsigned char *place;
	size_t place_size;
	bool is_failed;
} da_writer_t;

static size_t writer_at(const da_writer_t *w)
{
	return w->image->file.length;
}

static void add(da_writer_t *w, const void *bytes, size_t size)
{
	if (!w->is_failed && !da_buffer_append(&w->image->file, bytes, size))
		w->is_failed = true;
}

static void add_string(da_writer_t *w, const char *text)
{
	add(w, text, strlen(text) + 1);
}

/* Zeroes up to that offset. */
static void add_zeroes(da_writer_t *w, size_t end)
{
	static const char zeroes[256];

	while (!w->is_failed && writer_at(w) < end) {
		size_t n = end - writer_at(w);

		add(w, zeroes, n < sizeof(zeroes) ? n : sizeof(zeroes));
	}
}

/* Zeroes up to a multiple of size. */
static void align(da_writer_t *w, size_t size)
{
	add_zeroes(w, (writer_at(w) + size - 1) / size * size);
}

static void begin_section(da_writer_t *w, int section, size_t alignment)
{
	Elf64_Shdr *header = &w->headers[section];

	align(w, alignment);
	header->sh_type = sections[section].type;
	header->sh_flags = sections[section].flags;
	header->sh_addralign = alignment;
	header->sh_offset = writer_at(w);
	header->sh_addr = header->sh_flags & SHF_ALLOC ? writer_at(w) : 0;
}

static void end_section(da_writer_t *w, int section)
{
	w->headers[section].sh_size = writer_at(w) - w->headers[section].sh_offset;
}

/* ---- Sections ------------------------------------------------------------------------ */

/* Which code the kernel can trace at the lowest cost. */
static void choose_place(da_writer_t *w)
{
	unsigned major = 0, minor = 0;
	struct utsname system;

	w->place = short_place;
	w->place_size = sizeof(short_place);
	if (uname(&system) != 0 || sscanf(system.release, "%u.%u", &major, &minor) != 2)
		return;
	if (major > LONG_PLACE_MAJOR ||
	    (major == LONG_PLACE_MAJOR && minor >= LONG_PLACE_MINOR)) {
		w->place = long_place;
		w->place_size = sizeof(long_place);
	}
}

static void add_code(da_writer_t *w)
{
	choose_place(w);
	begin_section(w, SECTION_BASE, 1);
	add_zeroes(w, CODE_START + 1);
	end_section(w, SECTION_BASE);
	begin_section(w, SECTION_TEXT, PLACE_SIZE);
	for (size_t i = 0; i < w->spec->nprobes; i++) {
		align(w, PLACE_SIZE);
		add(w, w->place, w->place_size);
	}
	end_section(w, SECTION_TEXT);
	w->image->code_end = writer_at(w);
}

static void add_semaphores(da_writer_t *w)
{
	begin_section(w, SECTION_PROBES, (size_t)sysconf(_SC_PAGESIZE));
	w->image->semaphores = writer_at(w);
	add_zeroes(w, writer_at(w) + w->spec->nprobes * sizeof(uint16_t));
	w->image->end = writer_at(w);
	end_section(w, SECTION_PROBES);
}

/* The beginning of a note; where its type is. */
static uint32_t add_note_header(da_writer_t *w, const char *owner, size_t size,
				uint32_t type)
{
	Elf64_Nhdr header = {.n_namesz = (uint32_t)strlen(owner) + 1,
			     .n_descsz = (uint32_t)size,
			     .n_type = type};
	size_t at = writer_at(w);

	add(w, &header, sizeof(header));
	add_string(w, owner);
	align(w, 4);
	return (uint32_t)(at + offsetof(Elf64_Nhdr, n_type));
}

/* "4 -8" to "4@%rdi -8@%rsi". False: out of memory. */
static bool write_operands(const char *sizes, da_buffer_t *operands)
{
	const char *at = sizes;

	for (size_t i = 0; i < DA_USDT_ARGUMENTS && *at; i++) {
		char text[64], *rest;
		int n = snprintf(text, sizeof(text), "%s%ld@", i ? " " : "",
				 strtol(at, &rest, 10));

		if (i < NREGISTERS)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%s",
				      registers[i]);
		else
			n += snprintf(text + n, sizeof(text) - (size_t)n, MEMORY,
				      i * sizeof(uint64_t));
		if (!da_buffer_append(operands, text, (size_t)n))
			return false;
		at = rest;
	}
	return da_buffer_append(operands, "", 1);
}

/* "gc-start" to "gc__start", as the probe would be called in C. */
static bool write_name(const char *name, da_buffer_t *to)
{
	for (; *name; name++)
		if (!da_buffer_append(to, *name == '-' ? "__" : name, *name == '-' ? 2 : 1))
			return false;
	return da_buffer_append(to, "", 1);
}

static void add_note(da_writer_t *w, size_t index)
{
	uint64_t addresses[] = {FIRST_PLACE + index * PLACE_SIZE, CODE_START,
				w->image->semaphores + index * sizeof(uint16_t)};
	size_t provider_size = strlen(w->spec->provider) + 1;
	da_buffer_t text = {0};

	if (!write_name(w->spec->names[index], &text) ||
	    !write_operands(w->spec->arguments[index], &text)) {
		w->is_failed = true;
	} else {
		w->image->notes[index] = add_note_header(
		    w, "stapsdt", sizeof(addresses) + provider_size + text.length, 3);
		add(w, addresses, sizeof(addresses));
		add(w, w->spec->provider, provider_size);
		add(w, text.bytes, text.length);
		align(w, 4);
	}
	free(text.bytes);
}

static void add_notes(da_writer_t *w)
{
	char id[20];

	begin_section(w, SECTION_STAPSDT, 4);
	for (size_t i = 0; i < w->spec->nprobes; i++)
		add_note(w, i);
	end_section(w, SECTION_STAPSDT);

	begin_section(w, SECTION_BUILD_ID, 4);
	add_note_header(w, ELF_NOTE_GNU, sizeof(id), NT_GNU_BUILD_ID);
	if (getentropy(id, sizeof(id)) != 0)
		memset(id, 0, sizeof(id));
	add(w, id, sizeof(id));
	end_section(w, SECTION_BUILD_ID);
}

static void add_symbols(da_writer_t *w)
{
	size_t name = 1;

	begin_section(w, SECTION_SYMTAB, 8);
	add(w, &(Elf64_Sym){0}, sizeof(Elf64_Sym));
	for (size_t i = 0; i < w->spec->nprobes; i++) {
		Elf64_Sym symbol = {.st_name = (Elf64_Word)name,
				    .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				    .st_shndx = SECTION_TEXT,
				    .st_value = FIRST_PLACE + i * PLACE_SIZE,
				    .st_size = w->place_size};

		add(w, &symbol, sizeof(symbol));
		name += strlen(w->spec->names[i]) + 1;
	}
	end_section(w, SECTION_SYMTAB);
	w->headers[SECTION_SYMTAB].sh_link = SECTION_STRTAB;
	w->headers[SECTION_SYMTAB].sh_info = 1; /* the first that is not local */
	w->headers[SECTION_SYMTAB].sh_entsize = sizeof(Elf64_Sym);

	begin_section(w, SECTION_STRTAB, 1);
	add_string(w, "");
	for (size_t i = 0; i < w->spec->nprobes; i++)
		add_string(w, w->spec->names[i]);
	end_section(w, SECTION_STRTAB);
}

/* The names of sections, and at an offset that is returned their headers. */
static size_t add_headers(da_writer_t *w)
{
	begin_section(w, SECTION_SHSTRTAB, 1);
	for (int i = 0; i < NSECTIONS; i++) {
		w->headers[i].sh_name =
		    (Elf64_Word)(writer_at(w) - w->headers[SECTION_SHSTRTAB].sh_offset);
		add_string(w, sections[i].name);
	}
	end_section(w, SECTION_SHSTRTAB);
	align(w, 8);
	add(w, w->headers, sizeof(w->headers));
	return writer_at(w) - sizeof(w->headers);
}

/* ---- The whole ----------------------------------------------------------------------- */

typedef struct da_front {
	Elf64_Ehdr elf;
	Elf64_Phdr segments[2];
} da_front_t;
_Static_assert(sizeof(da_front_t) <= CODE_START, "the headers are before the code");

static void write_front(const da_usdtimage_t *image, size_t headers)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	da_front_t front = {
	    .elf = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				EV_CURRENT},
		    .e_type = ET_DYN,
		    .e_machine = MACHINE,
		    .e_version = EV_CURRENT,
		    .e_phoff = offsetof(da_front_t, segments),
		    .e_shoff = headers,
		    .e_ehsize = sizeof(Elf64_Ehdr),
		    .e_phentsize = sizeof(Elf64_Phdr),
		    .e_phnum = sizeof(front.segments) / sizeof(front.segments[0]),
		    .e_shentsize = sizeof(Elf64_Shdr),
		    .e_shnum = NSECTIONS,
		    .e_shstrndx = SECTION_SHSTRTAB},
	    .segments = {{.p_type = PT_LOAD,
			  .p_flags = PF_R | PF_X,
			  .p_filesz = image->code_end,
			  .p_memsz = image->code_end,
			  .p_align = page},
			 {.p_type = PT_LOAD,
			  .p_flags = PF_R | PF_W,
			  .p_offset = image->semaphores,
			  .p_vaddr = image->semaphores,
			  .p_paddr = image->semaphores,
			  .p_filesz = image->end - image->semaphores,
			  .p_memsz = image->end - image->semaphores,
			  .p_align = page}},
	};

	memcpy(image->file.bytes, &front, sizeof(front));
}

bool da_usdtimage_init(da_usdtimage_t *image, const da_usdtspec_t *spec)
{
	da_writer_t w = {.image = image, .spec = spec};
	size_t headers;

	*image = (da_usdtimage_t){0};
	image->notes = calloc(spec->nprobes + 1, sizeof(*image->notes));
	if (!image->notes)
		return false;
	add_zeroes(&w, CODE_START);
	add_code(&w);
	add_semaphores(&w);
	add_notes(&w);
	add_symbols(&w);
	headers = add_headers(&w);
	if (!w.is_failed)
		write_front(image, headers);
	return !w.is_failed;
}

void da_usdtimage_fini(da_usdtimage_t *image)
{
	free(image->file.bytes);
	free(image->notes);
}

void da_usdtimage_fire(char *base, size_t index,
		       const uint64_t arguments[DA_USDT_ARGUMENTS])
{
	typedef void place_f(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
			     const uint64_t *);
	place_f *fire = (place_f *)(uintptr_t)(base + FIRST_PLACE + index * PLACE_SIZE);

	_Static_assert(NREGISTERS == 5, "as many arguments as registers");
	/* A tracer reads the arguments; nothing the compiler sees does. */
	__asm__ volatile("" ::: "memory");
	fire(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
	     arguments);
}
