/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embed.c - run at build time: turns compiled support objects into C tables, so that the
 * library links support functions without reading ELF.
 *
 *	embed strings.bpf.o ... >support.inc
 *
 * Of each function: its instructions, and where they refer to another function (a call or
 * a callback) or to a number that is known only when a program is loaded. Of all together:
 * the most stack that a call of one takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef R_BPF_64_64
#define R_BPF_64_64 1
#endif
#ifndef R_BPF_64_32
#define R_BPF_64_32 10
#endif
#define MAXFUNCTIONS 256
#define MAXOBJECTS 16
#define INSN sizeof(struct bpf_insn)

struct function {
	const char *name;
	size_t start, end; /* instructions */
	int is_global;
};

struct object {
	Elf *elf;
	Elf_Data *text, *symbols, *relocations;
	size_t text_index, strings, nsymbols, nrelocations;
	struct function functions[MAXFUNCTIONS];
	int nfunctions;
	int number; /* of the object: tells static functions of one name apart */
	int first;  /* number of its first function among those of all objects */
};

static void die(const char *what)
{
	fprintf(stderr, "embed: %s\n", what);
	exit(1);
}

static void read_sections(struct object *o)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr h;
	size_t names;

	if (elf_getshdrstrndx(o->elf, &names) != 0)
		die("no section names");
	while ((scn = elf_nextscn(o->elf, scn))) {
		const char *name;

		if (!gelf_getshdr(scn, &h))
			die("bad section");
		name = elf_strptr(o->elf, names, h.sh_name);
		if (strcmp(name, ".text") == 0) {
			o->text = elf_getdata(scn, NULL);
			o->text_index = elf_ndxscn(scn);
		} else if (strcmp(name, ".rel.text") == 0) {
			o->relocations = elf_getdata(scn, NULL);
			o->nrelocations = h.sh_size / h.sh_entsize;
		} else if (h.sh_type == SHT_SYMTAB) {
			o->symbols = elf_getdata(scn, NULL);
			o->nsymbols = h.sh_size / h.sh_entsize;
			o->strings = h.sh_link;
		} else if (h.sh_type == SHT_PROGBITS && (h.sh_flags & SHF_ALLOC) &&
			   h.sh_size) {
			die("support code must have no data");
		}
	}
	if (!o->text || !o->symbols)
		die("not a compiled support object");
}

static GElf_Sym symbol(const struct object *o, size_t i)
{
	GElf_Sym s;

	if (!gelf_getsym(o->symbols, (int)i, &s))
		die("bad symbol");
	return s;
}

static void read_functions(struct object *o)
{
	for (size_t i = 0; i < o->nsymbols; i++) {
		GElf_Sym s = symbol(o, i);

		if (GELF_ST_TYPE(s.st_info) != STT_FUNC || s.st_shndx != o->text_index)
			continue;
		if (o->nfunctions == MAXFUNCTIONS)
			die("too many functions");
		o->functions[o->nfunctions++] = (struct function){
		    elf_strptr(o->elf, o->strings, s.st_name), s.st_value / INSN,
		    (s.st_value + s.st_size) / INSN, GELF_ST_BIND(s.st_info) == STB_GLOBAL};
	}
}

static int function_at(const struct object *o, size_t insn)
{
	for (int i = 0; i < o->nfunctions; i++)
		if (o->functions[i].start == insn)
			return i;
	die("a reference into the middle of a function");
	return -1;
}

static void print_function(const struct object *o, const struct function *f)
{
	const struct bpf_insn *code = o->text->d_buf;

	printf("static const struct bpf_insn code%d_%s[] = {\n", o->number, f->name);
	for (size_t i = f->start; i < f->end; i++)
		printf("\t{0x%x, %u, %u, %d, %d},\n", code[i].code, code[i].dst_reg,
		       code[i].src_reg, code[i].off, code[i].imm);
	printf("};\nstatic const dt_supportref_t refs%d_%s[] = {\n", o->number, f->name);
}

/* The function that the instruction calls or hands on as a callback; -1: a number. */
static int target_of(const struct object *o, const GElf_Rel *r)
{
	const struct bpf_insn *code = o->text->d_buf;
	GElf_Sym s = symbol(o, GELF_R_SYM(r->r_info));
	size_t at = r->r_offset / INSN, target = s.st_value / INSN;

	if (s.st_shndx == SHN_UNDEF)
		return -1;
	if (GELF_R_TYPE(r->r_info) == R_BPF_64_64)
		target = (s.st_value + (size_t)code[at].imm) / INSN;
	else if (GELF_R_TYPE(r->r_info) != R_BPF_64_32)
		die("an unknown kind of relocation");
	else if (GELF_ST_TYPE(s.st_info) == STT_SECTION)
		target += (size_t)(code[at].imm + 1);
	return function_at(o, target);
}

static int is_inside(const struct function *f, const GElf_Rel *r)
{
	return r->r_offset / INSN >= f->start && r->r_offset / INSN < f->end;
}

static void print_reference(const struct object *o, const struct function *f,
			    const GElf_Rel *r)
{
	size_t at = r->r_offset / INSN - f->start;
	int target = target_of(o, r);

	if (target < 0)
		printf("\t{%zu, DT_REF_VALUE, -1, \"%s\"},\n", at,
		       elf_strptr(o->elf, o->strings,
				  symbol(o, GELF_R_SYM(r->r_info)).st_name));
	else
		printf("\t{%zu, %s, %d, NULL},\n", at,
		       GELF_R_TYPE(r->r_info) == R_BPF_64_64 ? "DT_REF_CALLBACK"
							     : "DT_REF_CALL",
		       o->first + target);
}

/* Bytes of the frame that the function itself uses: accesses by the frame pointer, and
 * addresses made from it. */
static int frame_of(const struct object *o, const struct function *f)
{
	const struct bpf_insn *code = o->text->d_buf;
	int used = 0;

	for (size_t i = f->start; i < f->end; i++) {
		int class = BPF_CLASS(code[i].code), below = 0;

		if ((class == BPF_LDX && code[i].src_reg == BPF_REG_10) ||
		    ((class == BPF_ST || class == BPF_STX) &&
		     code[i].dst_reg == BPF_REG_10))
			below = -code[i].off;
		else if (class == BPF_ALU64 && code[i].src_reg == BPF_REG_10 &&
			 i + 1 < f->end)
			below = -code[i + 1].imm; /* r2 = r10; r2 += -8 */
		if (below > used)
			used = below;
	}
	return used;
}

/* The same with what it calls, as the verifier counts: 32 bytes at a time, at least. */
static int stack_of(const struct object *o, const struct function *f)
{
	int frame = (frame_of(o, f) + 31) & ~31, deepest = 0;

	for (size_t k = 0; k < o->nrelocations; k++) {
		GElf_Rel r;
		int target, depth;

		if (!gelf_getrel(o->relocations, (int)k, &r))
			die("bad relocation");
		target = is_inside(f, &r) ? target_of(o, &r) : -1;
		if (target < 0)
			continue;
		depth = stack_of(o, &o->functions[target]);
		if (depth > deepest)
			deepest = depth;
	}
	return (frame ? frame : 32) + deepest;
}

static void print_code(const struct object *o)
{
	for (int i = 0; i < o->nfunctions; i++) {
		const struct function *f = &o->functions[i];
		GElf_Rel r;

		print_function(o, f);
		for (size_t k = 0; k < o->nrelocations; k++) {
			if (!gelf_getrel(o->relocations, (int)k, &r))
				die("bad relocation");
			if (is_inside(f, &r))
				print_reference(o, f, &r);
		}
		printf("\t{0, DT_REF_END, -1, NULL}\n};\n");
	}
}

static void print_entries(const struct object *o)
{
	for (int i = 0; i < o->nfunctions; i++) {
		const struct function *f = &o->functions[i];

		printf("\t{\"%s\", code%d_%s, %zu, refs%d_%s, %d},\n", f->name, o->number,
		       f->name, f->end - f->start, o->number, f->name, f->is_global);
	}
}

static int deepest_stack(const struct object *o)
{
	int deepest = 0;

	for (int i = 0; i < o->nfunctions; i++) {
		int depth = stack_of(o, &o->functions[i]);

		if (depth > deepest)
			deepest = depth;
	}
	return deepest;
}

static void open_object(struct object *o, const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(strerror(errno));
	o->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!o->elf)
		die(elf_errmsg(-1));
	read_sections(o);
	read_functions(o);
}

int main(int argc, char **argv)
{
	static struct object objects[MAXOBJECTS];
	int n = argc - 1, stack = 0;

	if (n < 1 || n > MAXOBJECTS)
		die("usage: embed object ...");
	if (elf_version(EV_CURRENT) == EV_NONE)
		die(elf_errmsg(-1));
	for (int i = 0; i < n; i++) {
		objects[i].number = i;
		objects[i].first = i ? objects[i - 1].first + objects[i - 1].nfunctions : 0;
		open_object(&objects[i], argv[i + 1]);
	}
	printf("/* Made by libdtrace/bpf/embed.c. */\n");
	for (int i = 0; i < n; i++) {
		print_code(&objects[i]);
		if (deepest_stack(&objects[i]) > stack)
			stack = deepest_stack(&objects[i]);
	}
	printf("#define DT_SUPPORT_STACK_USED %d\n", stack);
	printf("static const dt_supportcode_t dt_supportcodes[] = {\n");
	for (int i = 0; i < n; i++)
		print_entries(&objects[i]);
	printf("};\n");
	return fflush(stdout) == 0 ? 0 : 1;
}
