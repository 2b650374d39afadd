/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct.c - definitions of structs, unions and enums. Members lie as the C compiler of the
 * running system (LP64) lays them out, bit-fields too: a bit-field does not cross the
 * boundary of a unit of its type's size.
 */
#include <inttypes.h>
#include <string.h>

#include "error.h"
#include "handle.h"
#include "lang/parse.h"
#include "lang/source.h"
#include "types/typetab.h"

#define AGGREGATE_MAX_BITS UINT32_MAX
#define NAMES_MAX 8192 /* members or enumerators of one type */

static const char *tag_word(dt_kind_t kind)
{
	return kind == DT_K_STRUCT ? "struct" : kind == DT_K_UNION ? "union" : "enum";
}

/* ---- Tags -------------------------------------------------------------- */

/* What a forward declaration of an earlier program was before this one completed it. */
typedef struct savedtype {
	dt_type_t *type, saved;
} savedtype_t;

static void type_restore(dtrace_hdl_t *hdl, void *argument)
{
	savedtype_t *save = argument;
	dt_type_t *pointer = save->type->pointer;

	(void)hdl;
	*save->type = save->saved;
	save->type->pointer = pointer;
}

static dt_type_t *tag_new(dt_parser_t *p, dt_kind_t tag, const dt_token_t *name)
{
	dtrace_hdl_t *hdl = p->cc->hdl;
	dt_type_t *type = dt_type_new(hdl, tag);

	type->align = 1;
	if (name == NULL)
		return type;
	type->name = dt_arena_strndup(hdl->arena, name->string, name->string_length);
	if (type->name == NULL)
		dt_compile_error(p->cc, D_NOMEM, 0, 0, "out of memory");
	dt_type_add(hdl, tag, type->name, type);
	return type;
}

static bool is_open(const dt_parser_t *p, const dt_type_t *type)
{
	for (const dt_opentag_t *open = p->opentags; open != NULL; open = open->next) {
		if (open->type == type)
			return true;
	}
	return false;
}

/*
 * The type that a definition fills in: a new one, or the one that was declared without
 * its members. A kernel type of that name is hidden, not touched.
 */
static dt_type_t *tag_define(dt_parser_t *p, dt_kind_t tag, const dt_token_t *name)
{
	dt_type_t *type =
	    name == NULL ? NULL : dt_type_lookup_local(p->cc->hdl, tag, name->string);
	savedtype_t *save;

	if (type == NULL || type->btf_id != 0 || type->dwarf != NULL || type->kind == DT_K_FORWARD)
		return tag_new(p, tag, name);
	if (type->complete || is_open(p, type))
		dt_compile_error(p->cc, D_DECL_TYPERED, name->line, name->column,
				 "%s %s is defined already", tag_word(tag), name->string);
	save = dt_compile_alloc(p->cc, sizeof(*save));
	save->type = type;
	save->saved = *type;
	dt_compile_on_error(p->cc, type_restore, save);
	return type;
}

/* The type of a tag without a definition. */
static dt_type_t *tag_refer(dt_parser_t *p, dt_kind_t tag, const dt_token_t *name,
			    bool may_forward)
{
	dtrace_hdl_t *hdl = p->cc->hdl;
	dt_type_t *type = dt_type_lookup_local(hdl, tag, name->string);

	if (type != NULL)
		return type;
	type = dt_type_lookup(hdl, tag, name->string);
	if (type != NULL)
		return type;
	/* One that is not known may yet be defined; until then its size is not. */
	if (!dt_dwarf_is_name(name->string) &&
	    (may_forward || dt_parse_peek(p) == ';' || dtrace_errno(hdl) != EDT_NOBTF))
		return tag_new(p, tag, name);
	dt_parse_no_type(p, name, tag == DT_K_STRUCT  ? "struct "
				  : tag == DT_K_UNION ? "union "
						      : "enum ");
}

/* A definition cannot be the kernel's. */
static void check_scope(dt_parser_t *p, const dt_token_t *name)
{
	if (name->kind == DT_TOK_KSYM)
		dt_compile_error(p->cc, D_DECL_SCOPE, name->line, name->column,
				 "what is declared cannot be the kernel's: `%s", name->string);
}

/* The name after "struct", "union" or "enum"; the kernel's may be written with its module.
 */
static bool take_tag(dt_parser_t *p, dt_token_t *name)
{
	const char *backquote;

	if (dt_parse_peek(p) != DT_TOK_IDENT && dt_parse_peek(p) != DT_TOK_KSYM)
		return false;
	*name = dt_parse_take(p);
	backquote = name->kind == DT_TOK_KSYM ? strrchr(name->string, '`') : NULL;
	if (backquote != NULL) {
		name->string_length -= (size_t)(backquote + 1 - name->string);
		name->string = backquote + 1;
	}
	return true;
}

/* ---- Members ----------------------------------------------------------- */

typedef struct memberlist {
	struct memberlist *next;
	dt_member_t member;
} memberlist_t;

/* A struct or union as its members come. */
typedef struct layout {
	dt_type_t *type;
	uint64_t bits; /* used so far: of a struct, where the next member can begin */
	uint32_t align;
	memberlist_t *first, **tail;
	uint32_t count;
} layout_t;

static uint64_t round_up(uint64_t bits, uint64_t unit)
{
	return (bits + unit - 1) / unit * unit;
}

static void layout_add(dt_parser_t *p, layout_t *layout, const char *name, dt_type_t *type,
		       uint64_t offset, uint64_t bits, uint32_t bit_size, uint32_t align,
		       int line)
{
	memberlist_t *new = dt_compile_alloc(p->cc, sizeof(*new));

	if (offset + bits > AGGREGATE_MAX_BITS)
		dt_compile_error(p->cc, D_DECL_BIG, line, 0,
				 "the %s is too large: more than %" PRIu64 " bytes",
				 tag_word(layout->type->kind),
				 (uint64_t)AGGREGATE_MAX_BITS / 8);
	if (layout->count == NAMES_MAX)
		dt_compile_error(p->cc, D_DECL_BIG, line, 0,
				 "the %s has more than %d members",
				 tag_word(layout->type->kind), NAMES_MAX);
	if (name != NULL) {
		new->member.name = dt_arena_strndup(p->cc->hdl->arena, name, strlen(name));
		if (new->member.name == NULL)
			dt_compile_error(p->cc, D_NOMEM, 0, 0, "out of memory");
	}
	new->member.type = type;
	new->member.bit_offset = (uint32_t)offset;
	new->member.bit_size = bit_size;
	*layout->tail = new;
	layout->tail = &new->next;
	layout->count++;

	if (layout->type->kind == DT_K_STRUCT)
		layout->bits = offset + bits;
	else if (bits > layout->bits)
		layout->bits = bits;
	if (align > layout->align)
		layout->align = align;
}

static void check_unique(dt_parser_t *p, const layout_t *layout, const dt_declarator_t *d)
{
	for (const memberlist_t *m = layout->first; m != NULL; m = m->next) {
		if (m->member.name != NULL && strcmp(m->member.name, d->name) == 0)
			dt_compile_error(p->cc, D_UNKNOWN, d->line, d->column,
					 "member %s is declared already", d->name);
	}
}

static void add_member(dt_parser_t *p, layout_t *layout, dt_type_t *type,
		       const dt_declarator_t *d)
{
	const dt_type_t *resolved = dt_type_resolve(p->cc->hdl, type);
	bool is_flexible = resolved->kind == DT_K_ARRAY && resolved->count == 0;
	uint64_t align = resolved->align > 0 ? resolved->align : 1, offset = 0;

	if (resolved->kind == DT_K_VOID || resolved->kind == DT_K_FUNC)
		dt_compile_error(
		    p->cc, D_DECL_VOIDOBJ, d->line, d->column, "member %s cannot be %s",
		    d->name, resolved->kind == DT_K_VOID ? "of type void" : "a function");
	/* An empty struct has no size either, and is whole. */
	if (resolved->size == 0 && !is_flexible &&
	    (!resolved->complete || resolved->kind == DT_K_ENUM))
		dt_compile_error(p->cc, D_DECL_INCOMPLETE, d->line, d->column,
				 "member %s is of an incomplete type", d->name);
	check_unique(p, layout, d);
	if (layout->type->kind == DT_K_STRUCT)
		offset = round_up(layout->bits, align * 8);
	layout_add(p, layout, d->name, type, offset, resolved->size * 8, 0, (uint32_t)align,
		   d->line);
}

/* bit-field: [declarator] ":" constant */
static void add_bitfield(dt_parser_t *p, layout_t *layout, dt_type_t *type,
			 const dt_declarator_t *d)
{
	const dt_type_t *resolved = dt_type_resolve(p->cc->hdl, type);
	dt_token_t colon = dt_parse_expect(p, ':');
	int64_t width = dt_parse_constant(p, D_DECL_BFCONST, "the width of a bit-field");
	uint64_t unit = resolved->size * 8, offset = 0;

	if ((resolved->kind != DT_K_INT && resolved->kind != DT_K_ENUM) || unit == 0 ||
	    unit > 64)
		dt_compile_error(p->cc, D_DECL_BFTYPE, colon.line, colon.column,
				 "a bit-field must be of an integer type");
	if (width < 0 || (width == 0 && d->name != NULL))
		dt_compile_error(p->cc, D_DECL_BFCONST, colon.line, colon.column,
				 "the width of a bit-field must be positive");
	if ((uint64_t)width > unit)
		dt_compile_error(p->cc, D_DECL_BFSIZE, colon.line, colon.column,
				 "a bit-field of this type cannot be %" PRId64 " bits wide",
				 width);
	if (layout->type->kind == DT_K_STRUCT) {
		offset = layout->bits;
		if (width == 0 || offset / unit != (offset + (uint64_t)width - 1) / unit)
			offset = round_up(offset, unit);
	}
	if (d->name == NULL) {
		/* Padding; it does not align the struct. */
		if (offset + (uint64_t)width > layout->bits)
			layout->bits = offset + (uint64_t)width;
		return;
	}
	check_unique(p, layout, d);
	layout_add(p, layout, d->name, type, offset, (uint64_t)width, (uint32_t)width,
		   resolved->align, d->line);
}

/* An anonymous struct or union within another. */
static void add_anonymous(dt_parser_t *p, layout_t *layout, const dt_declspec_t *spec)
{
	const dt_type_t *type = dt_type_resolve(p->cc->hdl, spec->type);
	uint64_t offset = 0;

	if ((type->kind != DT_K_STRUCT && type->kind != DT_K_UNION) || type->name != NULL)
		dt_compile_error(p->cc, D_DECL_MNAME, spec->line, spec->column,
				 "the member has no name");
	if (layout->type->kind == DT_K_STRUCT)
		offset = round_up(layout->bits, (uint64_t)type->align * 8);
	layout_add(p, layout, NULL, spec->type, offset, type->size * 8, 0, type->align,
		   spec->line);
}

/* members: specifiers [member {"," member}] ";", member: declarator | bit-field */
static void members(dt_parser_t *p, layout_t *layout)
{
	dt_declspec_t spec = dt_parse_declspec(p, true);

	if (spec.class != 0)
		dt_compile_error(p->cc, D_SYNTAX, spec.line, spec.column,
				 "a member has no storage class");
	if (dt_parse_peek(p) == ';') {
		add_anonymous(p, layout, &spec);
		dt_parse_take(p);
		return;
	}
	do {
		dt_declarator_t d = {0};

		if (dt_parse_peek(p) != ':')
			d = dt_parse_declarator(p, DT_NAME_ALWAYS);
		if (dt_parse_peek(p) == ':')
			add_bitfield(p, layout, dt_parse_wrap(p, &spec, &d), &d);
		else
			add_member(p, layout, dt_parse_wrap(p, &spec, &d), &d);
	} while (dt_parse_accept(p, ','));
	dt_parse_expect(p, ';');
}

static void layout_finish(dt_parser_t *p, const layout_t *layout)
{
	dt_type_t *type = layout->type;
	uint32_t i = 0;

	type->members =
	    dt_arena_alloc(p->cc->hdl->arena, (layout->count + 1) * sizeof(*type->members));
	if (type->members == NULL)
		dt_compile_error(p->cc, D_NOMEM, 0, 0, "out of memory");
	for (const memberlist_t *m = layout->first; m != NULL; m = m->next)
		type->members[i++] = m->member;
	type->count = layout->count;
	type->align = layout->align;
	type->size = round_up(layout->bits, (uint64_t)layout->align * 8) / 8;
	type->complete = true;
}

/* struct: ("struct" | "union") ([tag] "{" {members} "}" | tag) */
dt_type_t *dt_parse_aggregate(dt_parser_t *p, dt_kind_t kind, bool may_forward)
{
	layout_t layout = {.align = 1, .tail = &layout.first};
	dt_opentag_t open = {.next = p->opentags};
	dt_token_t name;
	bool has_name;

	dt_parse_take(p);
	has_name = take_tag(p, &name);
	if (dt_parse_peek(p) != '{') {
		if (!has_name)
			dt_parse_fail(p);
		return tag_refer(p, kind, &name, may_forward);
	}

	if (has_name)
		check_scope(p, &name);
	dt_parse_enter(p);
	layout.type = tag_define(p, kind, has_name ? &name : NULL);
	open.type = layout.type;
	p->opentags = &open;
	dt_parse_take(p);
	while (!dt_parse_accept(p, '}'))
		members(p, &layout);
	layout_finish(p, &layout);
	p->opentags = open.next;
	dt_parse_leave(p);
	return layout.type;
}

/* ---- Enums ------------------------------------------------------------- */

static void enumparse_add(dt_parser_t *p, dt_enumparse_t *list, const dt_token_t *name,
			  int64_t value)
{
	const dt_enumerator_t *known;
	dt_type_t *type;

	for (uint32_t i = 0; i < list->count; i++) {
		if (strcmp(list->enumerators[i].name, name->string) == 0)
			dt_compile_error(p->cc, D_UNKNOWN, name->line, name->column,
					 "enumerator %s is declared already", name->string);
	}
	if (!p->cc->is_library &&
	    (dt_builtin_lookup(name->string) != NULL ||
	     dt_ident_lookup(p->cc->hdl, DT_SCOPE_GLOBAL, name->string) != NULL))
		dt_compile_error(p->cc, D_DECL_IDRED, name->line, name->column,
				 "%s is a variable or function of D", name->string);
	known = dt_enumerator_lookup(p->cc->hdl, name->string, &type);
	if (known != NULL && type->btf_id == 0)
		dt_compile_error(p->cc, D_DECL_IDRED, name->line, name->column,
				 "enumerator %s is declared already", name->string);

	if (list->count == NAMES_MAX)
		dt_compile_error(p->cc, D_DECL_BIG, name->line, name->column,
				 "the enum has more than %d enumerators", NAMES_MAX);
	if (dt_arena_grow(p->cc->hdl->arena, &list->enumerators, sizeof(*list->enumerators),
			  list->count, &list->room) != 0)
		dt_compile_error(p->cc, D_NOMEM, 0, 0, "out of memory");
	list->enumerators[list->count].name =
	    dt_arena_strndup(p->cc->hdl->arena, name->string, name->string_length);
	if (list->enumerators[list->count].name == NULL)
		dt_compile_error(p->cc, D_NOMEM, 0, 0, "out of memory");
	list->enumerators[list->count++].value = value;
}

/* enumerators: name ["=" constant] {"," name ["=" constant]} [","] "}" */
static void enumerators(dt_parser_t *p, dt_enumparse_t *list)
{
	int64_t value = 0, most;

	do {
		dt_token_t name;

		if (list->count > 0 && dt_parse_peek(p) == '}')
			break;
		name = dt_parse_expect(p, DT_TOK_IDENT);
		if (dt_parse_accept(p, '='))
			value = dt_parse_constant(p, D_DECL_ENCONST,
						  "the value of an enumerator");
		/* GCC takes more than C says, and headers know it. */
		most = DT_LINE_NUMBER(name.line) == name.line ? INT32_MAX : UINT32_MAX;
		if (value < INT32_MIN || value > most)
			dt_compile_error(p->cc, D_DECL_ENOFLOW, name.line, name.column,
					 "enumerator %s does not fit in an int: %" PRId64,
					 name.string, value);
		enumparse_add(p, list, &name, value++);
	} while (dt_parse_accept(p, ','));
	dt_parse_expect(p, '}');
}

/* enum: "enum" ([tag] "{" enumerators | tag) */
dt_type_t *dt_parse_enum(dt_parser_t *p)
{
	dt_enumparse_t list = {0}, *outer = p->enumparse;
	dt_opentag_t open = {.next = p->opentags};
	dt_token_t name;
	bool has_name;
	dt_type_t *type;

	dt_parse_take(p);
	has_name = take_tag(p, &name);
	if (dt_parse_peek(p) != '{') {
		if (!has_name)
			dt_parse_fail(p);
		return tag_refer(p, DT_K_ENUM, &name, false);
	}

	if (has_name)
		check_scope(p, &name);
	dt_parse_enter(p);
	type = tag_define(p, DT_K_ENUM, has_name ? &name : NULL);
	open.type = type;
	p->opentags = &open;
	dt_parse_take(p);
	p->enumparse = &list;
	enumerators(p, &list);
	p->enumparse = outer;
	p->opentags = open.next;

	type->size = type->align = sizeof(int);
	type->is_signed = true;
	type->count = list.count;
	type->enumerators = list.enumerators;
	type->complete = true;
	dt_types_add_enumerators(p->cc->hdl, type);
	dt_parse_leave(p);
	return type;
}
