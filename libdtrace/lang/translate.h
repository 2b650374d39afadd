/* SPDX-License-Identifier: Apache-2.0 */
/*
 * translate.h - translators, and inlines with arguments: names for expressions, put in
 * their place with what they are given.
 */
#ifndef DT_TRANSLATE_H
#define DT_TRANSLATE_H

#include "lang/compile.h"

/* member = expr; */
typedef struct dt_xlmember {
	struct dt_xlmember *next;
	const char *name;
	int line, column;
	dt_node_t *expr; /* as parsed */
} dt_xlmember_t;

/* translator to < from param > { members }; */
typedef struct dt_translator {
	struct dt_translator *next; /* in hdl->translators */
	dt_type_t *to;		    /* struct or union */
	dt_type_t *from;
	const char *param;
	int line, column;
	dt_xlmember_t *members;
	dtrace_attribute_t attributes;
	bool is_library; /* its members are checked when they are used */
	bool is_checked;
} dt_translator_t;

/* An inline's parameters: for inline int f[int a, string b] = expression; */
typedef struct dt_inlineparams {
	uint32_t count;
	dt_type_t **types;
	const char **names;
} dt_inlineparams_t;

/* Adds one, to be taken back when the compile fails. Raises D_XLATE_REDECL. */
void dt_translator_add(dt_compile_t *, dt_translator_t *);
/* For a value of one type to another, which may be a pointer; NULL: none. */
dt_translator_t *dt_translator_find(dt_compile_t *, dt_type_t *from, dt_type_t *to);
/* All members of all translators that programs, not libraries, declare. */
void dt_check_translators(dt_compile_t *);

/* xlate<type>(value) of a checked value: a node that only member access can be done with. */
dt_node_t *dt_check_xlate(dt_compile_t *, const dt_node_t *at, dt_type_t *, dt_node_t *value);
/* n: MEMBER, whose owner (a checked XLATE node) is given: the member's expression. */
dt_node_t *dt_check_xlmember(dt_compile_t *, dt_node_t *n, dt_node_t *owner);
/* f[list] of an inline with parameters. */
dt_node_t *dt_check_inline_call(dt_compile_t *, dt_node_t *n, dt_ident_t *);
/* Raises an error where a statement's tree still has what is no value: a whole translation,
 * an aggregation, the call of an action. */
void dt_check_leftover(dt_compile_t *, const dt_node_t *);

#endif
