/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header.c - dtrace -h: a C header with two macros for each probe of a provider,
 *
 *	provider myserv {				MYSERV_QUERY_START(arg0, arg1)
 *		probe query__start(int, char *);	MYSERV_QUERY_START_ENABLED()
 *	};
 *
 * The header is all that a program needs. The notes are written by the assembler where the
 * probe is, so objects are not patched afterwards, and the semaphores are weak, so every
 * object brings them and the linker keeps one of each.
 *
 * An argument is handed over in a register or is a constant, as wide as it is declared.
 *Never in memory: that could be a variable, which the assembler writes by its name, and
 *readers of notes would have to look it up.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "sdt/sdt.h"

/* What notes can tell of, and what fits into registers on every machine. */
#define DT_SDT_MAXARGS 12

/* ---- Arguments -------------------------------------------------------------------- */

typedef struct dt_sdtarg {
	int size;	  /* bytes, negative for a signed value, as in notes */
	const char *cast; /* the C type */
} dt_sdtarg_t;

static const dt_sdtarg_t dt_sdt_pointer = {sizeof(void *), "const volatile void *"};

static const dt_sdtarg_t dt_sdt_integers[] = {
    {1, "unsigned char"}, {-1, "signed char"}, {2, "unsigned short"},	  {-2, "short"},
    {4, "unsigned int"},  {-4, "int"},	       {8, "unsigned long long"}, {-8, "long long"},
};

/* How a value of the type is passed. NULL: it cannot be. */
static const dt_sdtarg_t *dt_sdt_argument(dtrace_hdl_t *hdl, dt_type_t *type)
{
	int size;

	type = dt_type_resolve(hdl, type);
	switch (type->kind) {
	case DT_K_PTR:
	case DT_K_ARRAY:
	case DT_K_FUNC:
	case DT_K_STRING:
		return &dt_sdt_pointer;
	case DT_K_INT:
	case DT_K_ENUM:
		break;
	default:
		return NULL;
	}
	size = type->is_signed ? -(int)type->size : (int)type->size;
	for (size_t i = 0; i < sizeof(dt_sdt_integers) / sizeof(dt_sdt_integers[0]); i++) {
		if (dt_sdt_integers[i].size == size)
			return &dt_sdt_integers[i];
	}
	return NULL;
}

static int dt_sdt_check(dtrace_hdl_t *hdl, const dt_provdecl_t *provider,
			const dt_probedecl_t *probe)
{
	char name[256];

	if (probe->native.count > DT_SDT_MAXARGS)
		return dt_set_error(
		    hdl, EDT_COMPILER,
		    "line %d: probe %s:%s has %u arguments, and can pass %d", probe->line,
		    provider->name, probe->name, probe->native.count, DT_SDT_MAXARGS);
	for (uint32_t i = 0; i < probe->native.count; i++) {
		if (dt_sdt_argument(hdl, probe->native.types[i]) == NULL)
			return dt_set_error(
			    hdl, EDT_COMPILER,
			    "line %d: probe %s:%s, argument %u: a value of type %s cannot "
			    "be passed, a pointer to it can",
			    probe->line, provider->name, probe->name, i + 1,
			    dt_type_name(probe->native.types[i], name, sizeof(name)));
	}
	return 0;
}

/* ---- Text --------------------------------------------------------------------------- */

static const char dt_sdt_preamble[] =
    "#ifndef DTRACE_SDT_NOTE\n"
    "#ifdef __LP64__\n"
    "#define DTRACE_SDT_WORD \".8byte \"\n"
    "#else\n"
    "#define DTRACE_SDT_WORD \".4byte \"\n"
    "#endif\n"
    "/* A nop, and a note of where it is, what it is called and what it passes. */\n"
    "#define DTRACE_SDT_NOTE(provider, probe, arguments) \\\n"
    "\t\"990:\\tnop\\n\" \\\n"
    "\t\"\\t.pushsection .note.stapsdt,\\\"?\\\",\\\"note\\\"\\n\" \\\n"
    "\t\"\\t.balign 4\\n\" \\\n"
    "\t\"\\t.4byte 992f-991f, 994f-993f, 3\\n\" \\\n"
    "\t\"991:\\t.asciz \\\"stapsdt\\\"\\n\" \\\n"
    "\t\"992:\\t.balign 4\\n\" \\\n"
    "\t\"993:\\t\" DTRACE_SDT_WORD \"990b\\n\" \\\n"
    "\t\"\\t\" DTRACE_SDT_WORD \"_.stapsdt.base\\n\" \\\n"
    "\t\"\\t\" DTRACE_SDT_WORD provider \"_\" probe \"_semaphore\\n\" \\\n"
    "\t\"\\t.asciz \\\"\" provider \"\\\"\\n\" \\\n"
    "\t\"\\t.asciz \\\"\" probe \"\\\"\\n\" \\\n"
    "\t\"\\t.asciz \\\"\" arguments \"\\\"\\n\" \\\n"
    "\t\"994:\\t.balign 4\\n\" \\\n"
    "\t\"\\t.popsection\\n\" \\\n"
    "\t\"\\t.ifndef _.stapsdt.base\\n\" \\\n"
    "\t\"\\t.pushsection .stapsdt.base,\\\"aG\\\",\\\"progbits\\\",\" \\\n"
    "\t\".stapsdt.base,comdat\\n\" \\\n"
    "\t\"\\t.weak _.stapsdt.base\\n\" \\\n"
    "\t\"\\t.hidden _.stapsdt.base\\n\" \\\n"
    "\t\"_.stapsdt.base: .space 1\\n\" \\\n"
    "\t\"\\t.size _.stapsdt.base, 1\\n\" \\\n"
    "\t\"\\t.popsection\\n\" \\\n"
    "\t\"\\t.endif\\n\"\n"
    "/* Counted up while somebody traces the probe. */\n"
    "#define DTRACE_SDT_SEMAPHORE \\\n"
    "\t__attribute__((weak, used, visibility(\"hidden\"), section(\".probes\")))\n"
    "#endif\n";

/* "probe query__start(int, char *);" in a comment. */
static void dt_sdt_write_comment(FILE *fp, const dt_probedecl_t *probe, const char *name)
{
	char type[256];

	fprintf(fp, "\n/* probe %s(", name);
	for (uint32_t i = 0; i < probe->native.count; i++)
		fprintf(fp, "%s%s", i > 0 ? ", " : "",
			dt_type_name(probe->native.types[i], type, sizeof(type)));
	fprintf(fp, ") */\n");
}

/* Parameters of the macro, what the note says of them, the operands of the assembler. */
static void dt_sdt_write_probe(dtrace_hdl_t *hdl, FILE *fp, const dt_provdecl_t *provider,
			       const dt_probedecl_t *probe)
{
	char prefix[DTRACE_PROVNAMELEN], macro[DT_SDT_NAMELEN], name[DT_SDT_NAMELEN];
	char symbol[DT_SDT_SYMBOLLEN];

	dt_sdt_macro(provider->name, prefix, sizeof(prefix));
	dt_sdt_macro(probe->name, macro, sizeof(macro));
	dt_sdt_spell(probe->name, name, sizeof(name));
	dt_sdt_semaphore(provider, probe, symbol, sizeof(symbol));

	dt_sdt_write_comment(fp, probe, name);
	fprintf(fp, "DTRACE_SDT_SEMAPHORE volatile unsigned short %s;\n", symbol);
	fprintf(fp, "#define %s_%s_ENABLED() __builtin_expect(%s != 0, 0)\n", prefix, macro,
		symbol);
	fprintf(fp, "#define %s_%s(", prefix, macro);
	for (uint32_t i = 0; i < probe->native.count; i++)
		fprintf(fp, "%sarg%u", i > 0 ? ", " : "", i);
	fprintf(fp, ") \\\n\tdo { \\\n\t\t__asm__ __volatile__(DTRACE_SDT_NOTE( \\\n");
	fprintf(fp, "\t\t    \"%s\", \"%s\", \"", provider->name, name);
	for (uint32_t i = 0; i < probe->native.count; i++)
		fprintf(fp, "%s%d@%%%u", i > 0 ? " " : "",
			dt_sdt_argument(hdl, probe->native.types[i])->size, i);
	fprintf(fp, "\") \\\n\t\t    :");
	for (uint32_t i = 0; i < probe->native.count; i++)
		fprintf(fp, "%s \\\n\t\t    \"nr\"((%s)(arg%u))", i > 0 ? "," : ":",
			dt_sdt_argument(hdl, probe->native.types[i])->cast, i);
	fprintf(fp, "); \\\n\t} while (0)\n");
}

static int dt_sdt_check_provider(dtrace_hdl_t *hdl, const dt_provdecl_t *provider,
				 void *arg)
{
	(void)arg;
	for (const dt_probedecl_t *probe = provider->probes; probe; probe = probe->next) {
		if (dt_sdt_check(hdl, provider, probe) != 0)
			return -1;
	}
	return 0;
}

static int dt_sdt_write_provider(dtrace_hdl_t *hdl, const dt_provdecl_t *provider,
				 void *arg)
{
	for (const dt_probedecl_t *probe = provider->probes; probe; probe = probe->next)
		dt_sdt_write_probe(hdl, arg, provider, probe);
	return 0;
}

/* "probes.h" to "DTRACE_HEADER_PROBES_H". */
static void dt_sdt_guard(const char *name, char *guard, size_t size)
{
	const char *slash = strrchr(name, '/');
	int n = snprintf(guard, size, "DTRACE_HEADER_");

	for (name = slash != NULL ? slash + 1 : name; *name != '\0' && (size_t)n + 1 < size;
	     name++)
		guard[n++] = isalnum((unsigned char)*name)
				 ? (char)toupper((unsigned char)*name)
				 : '_';
	guard[n] = '\0';
}

int dtrace_program_header(dtrace_hdl_t *hdl, FILE *fp, const char *name)
{
	char guard[256] = "";

	/* All is checked before anything is written. */
	if (dt_sdt_providers(hdl, dt_sdt_check_provider, NULL) != 0)
		return -1;
	fprintf(
	    fp,
	    "/* Static probes, made by dtrace -h from their providers' declarations. */\n");
	if (name != NULL) {
		dt_sdt_guard(name, guard, sizeof(guard));
		fprintf(fp, "#ifndef %s\n#define %s\n\n", guard, guard);
	}
	fputs(dt_sdt_preamble, fp);
	fprintf(fp, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
	(void)dt_sdt_providers(hdl, dt_sdt_write_provider, fp);
	fprintf(fp, "\n#ifdef __cplusplus\n}\n#endif\n");
	if (name != NULL)
		fprintf(fp, "\n#endif /* %s */\n", guard);
	if (ferror(fp))
		return dt_set_errno(hdl, EIO);
	return 0;
}
