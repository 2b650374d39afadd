/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.h - what the files of the parser know of each other.
 *
 *	parse.c		the top level, clauses
 *	body.c		what stands in a clause's braces: statements, "if"
 *	express.c	expressions
 *	constant.c	integer constants that the parser needs at once
 *	decl.c		types: specifiers and declarators
 *	struct.c	definitions of structs, unions and enums
 *	declare.c	variables, typedefs, inlines
 *	declprov.c	translators and providers
 */
#ifndef DT_PARSE_H
#define DT_PARSE_H

#include "lang/lex.h"

#define DT_NEST_MAX 200	   /* rules within rules: 100 parentheses, 200 signs */
#define DT_HEIGHT_MAX 1000 /* levels of an expression's tree */
#define DT_NAMES_SEEN 64

/* A name that the program uses as a variable. */
typedef struct dt_seen {
	struct dt_seen *next;
	const char *name;
} dt_seen_t;

/* An enum whose values are being read: later ones may use earlier ones. */
typedef struct dt_enumparse {
	dt_enumerator_t *enumerators;
	uint32_t count, room;
} dt_enumparse_t;

/* A struct, union or enum whose definition is being read. */
typedef struct dt_opentag {
	struct dt_opentag *next;
	const dt_type_t *type;
} dt_opentag_t;

typedef struct dt_parser {
	dt_compile_t *cc;
	dt_lexer_t lexer;
	int nest;
	dt_seen_t *seen[DT_NAMES_SEEN]; /* hashed by name */
	dt_enumparse_t *enumparse;
	dt_opentag_t *opentags; /* innermost first */
	uint32_t nconditions;	/* body.c: of "if", and of predicates around one */
} dt_parser_t;

/* ---- Tokens: parse.c --------------------------------------------------- */

int dt_parse_peek(dt_parser_t *);
dt_token_t dt_parse_take(dt_parser_t *);
/* Takes the next token if it is of that kind. */
bool dt_parse_accept(dt_parser_t *, int kind);
/* Takes the next token, which must be of that kind. */
dt_token_t dt_parse_expect(dt_parser_t *, int kind);
/* Error: there is no such type; tag: "struct " ..., or "". */
_Noreturn void dt_parse_no_type(dt_parser_t *, const dt_token_t *name, const char *tag);
_Noreturn void dt_parse_fail(dt_parser_t *); /* syntax error at the next token */
/* Around every construct that can hold another of its kind. */
void dt_parse_enter(dt_parser_t *);
void dt_parse_leave(dt_parser_t *);

/* Declarations in a text of a D library; line: its first, with its file (source.h). */
void dt_parse_text(dt_compile_t *, const char *text, int line);

/* ---- Bodies: body.c ---------------------------------------------------- */

/* The body of a clause; what it is made into may begin with another, and be several. */
dt_clause_t *dt_parse_body(dt_parser_t *, dt_clause_t *);

/* ---- Expressions: express.c -------------------------------------------- */

dt_node_t *dt_parse_expression(dt_parser_t *); /* with the comma operator */
dt_node_t *dt_parse_assignment(dt_parser_t *); /* without */
/* Notes that a name is a value's, so that it is not taken for a type's. */
void dt_parse_note_name(dt_parser_t *, const char *name);

/* ---- Constants: constant.c --------------------------------------------- */

/* An integer of 64 bits, and how it is to be read. */
typedef struct dt_constant {
	uint64_t value;
	bool is_signed;
} dt_constant_t;

/* Parses a constant expression, whose value is needed at once; otherwise raises the tag. */
int64_t dt_parse_constant(dt_parser_t *, dt_errtag_t, const char *what);
/* The value of an integer constant expression. False: it is none. */
bool dt_parse_evaluate(dt_parser_t *, const dt_node_t *, dt_constant_t *);

/* ---- Types: decl.c ----------------------------------------------------- */

/* The left part of a declaration: class, qualifiers and the base type. */
typedef struct dt_declspec {
	int class; /* DT_TOK_SELF, _THIS, _TYPEDEF, _INLINE, _EXTERN ...; 0: none */
	dt_type_t *type;
	bool is_userland;
	int line, column;
} dt_declspec_t;

/* What a declarator wraps around the base type, in the order it is applied. */
typedef struct dt_declmod {
	struct dt_declmod *next;
	enum { DT_MOD_PTR, DT_MOD_ARRAY, DT_MOD_ASSOC, DT_MOD_FUNC } kind;
	int line, column;
	uint8_t qualifiers;
	uint32_t count;	   /* ARRAY: elements; ASSOC, FUNC: types */
	dt_type_t **types; /* ASSOC: keys; FUNC: parameters */
	const char **names; /* of keys or parameters; NULL where there is none */
	bool varargs;
} dt_declmod_t;

typedef struct dt_declarator {
	const char *name; /* NULL: none */
	int line, column;
	dt_declmod_t *mods;
} dt_declarator_t;

typedef enum dt_declname {
	DT_NAME_NEVER,	  /* type names */
	DT_NAME_OPTIONAL, /* parameters, bit-fields */
	DT_NAME_ALWAYS
} dt_declname_t;

/* may_forward: a struct or union that nobody knows is declared, rather than an error. */
dt_declspec_t dt_parse_declspec(dt_parser_t *, bool may_forward);
dt_declarator_t dt_parse_declarator(dt_parser_t *, dt_declname_t);
/* Wraps the base type. An ASSOC, which only variables may have, must have been removed. */
dt_type_t *dt_parse_wrap(dt_parser_t *, const dt_declspec_t *, const dt_declarator_t *);
/* specifiers and declarator without a name */
dt_type_t *dt_parse_typename(dt_parser_t *);
/* "(" has been taken: parameters up to ")". */
void dt_parse_params(dt_parser_t *, dt_declmod_t *);
/* Raises an error when two parameters have one name. */
void dt_parse_check_names(dt_parser_t *, const dt_declmod_t *);

/* struct.c: after "struct", "union" or "enum". */
dt_type_t *dt_parse_aggregate(dt_parser_t *, dt_kind_t, bool may_forward);
dt_type_t *dt_parse_enum(dt_parser_t *);

/* ---- Declarations: declare.c ------------------------------------------- */

/* One declaration at the top level. */
void dt_parse_declaration(dt_parser_t *);

/* ---- Translators and providers: declprov.c -------------------------------- */

void dt_parse_translator(dt_parser_t *);
void dt_parse_provider(dt_parser_t *);

#endif
