/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h - what the files of the type checker know of each other.
 *
 *	check.c		clauses, statements, predicates
 *	check_expr.c	operators
 *	check_assign.c	assignment, ++ and --
 *	check_convert.c	what types are, conversions, pointer offsets
 *	check_name.c	names, members, indexing, declaration by first assignment
 *	check_call.c	subroutines and actions against their prototypes
 *	check_agg.c	aggregating statements
 *	check_probe.c	probe descriptions, args[]
 *	attribute.c	stability
 *	translate.c	translators, inlines with parameters
 *	fold.c		constant folding
 *	ident.c		identifiers and built-ins
 *
 * A dt_check_ function takes an untyped node and returns the typed one in its place,
 * which may be another; it keeps no link to the list that the node stood in. Whatever
 * is wrong is raised by dt_compile_error(), which does not return.
 */
#ifndef DT_CHECK_H
#define DT_CHECK_H

#include "handle.h"
#include "lang/builtins.h"
#include "lang/compile.h"

#define DT_TYPESTR 160 /* room for a type's name in a message */
#define DT_IDENTSTR 160

/* ---- ident.c -------------------------------------------------------------- */

/* A line of builtins.def. */
typedef struct dt_builtin {
	dt_ident_t ident;   /* name, kind and id; an array variable has nkeys 1 */
	const char *result; /* type of a variable, or of what a subroutine returns */
	const char *args;   /* prototype */
	unsigned flags;	    /* DT_ACTION_* */
} dt_builtin_t;

const dt_builtin_t *dt_builtin_find(const char *name);
/* A type as builtins.def names it, for the built-in that the node names. */
dt_type_t *dt_builtin_type(dt_compile_t *, const char *text, const dt_node_t *at);
/* The handle's own identifier of a built-in: made on first use, its type read then. */
dt_ident_t *dt_builtin_ident(dt_compile_t *, const dt_builtin_t *, const dt_node_t *);
/* After a program: this-> names are its own and are forgotten. */
void dt_ident_forget_this(dtrace_hdl_t *);

/* ---- check_expr.c --------------------------------------------------------- */

/* Any expression, as an lvalue where it is one. */
dt_node_t *dt_check_expr(dt_compile_t *, dt_node_t *);
/* The same as a value to compute with: an array becomes a pointer to its first element. */
dt_node_t *dt_check_value(dt_compile_t *, dt_node_t *);
/* The same as a value to keep or show: an array of characters becomes a string. */
dt_node_t *dt_check_datum(dt_compile_t *, dt_node_t *);
/* An expression that must fold to an integer constant; otherwise raises the tag. */
dt_node_t *dt_check_const(dt_compile_t *, dt_node_t *, dt_errtag_t, const char *what);
/* An operator in a message, in an assignment: "+=". */
const char *dt_check_opname(dt_op_t, bool assigning);
/* Raises the tag for an operand that is not of the type that the operator needs. */
_Noreturn void dt_check_badoperand(dt_compile_t *, const dt_node_t *, dt_errtag_t,
				   const char *opname, const char *needed,
				   const dt_node_t *operand);
void dt_check_need_scalar(dt_compile_t *, const dt_node_t *, const dt_node_t *operand);
/* Raises D_OP_INCOMPAT for an operator's operands. */
_Noreturn void dt_check_badpair(dt_compile_t *, const dt_node_t *, const char *opname,
				const dt_node_t *left, const dt_node_t *right);
/* Checks the nodes of a list, each by the function; returns the new list. */
dt_node_t *dt_check_list(dt_compile_t *, dt_node_t *list,
			 dt_node_t *(*)(dt_compile_t *, dt_node_t *));

/* ---- check_assign.c ------------------------------------------------------- */

dt_node_t *dt_check_assign(dt_compile_t *, dt_node_t *);
dt_node_t *dt_check_incdec(dt_compile_t *, dt_node_t *);

/* ---- check_convert.c ------------------------------------------------------ */

dt_type_t *dt_check_type(dt_compile_t *, const dt_node_t *); /* resolved */
dt_type_t *dt_check_pointer_to(dt_compile_t *, dt_type_t *);
bool dt_check_is_int(dt_compile_t *, const dt_node_t *);
bool dt_check_is_scalar(dt_compile_t *, const dt_node_t *);
bool dt_check_is_string(dt_compile_t *, const dt_node_t *);
bool dt_check_is_strlike(dt_compile_t *, const dt_node_t *); /* string, char *, char [] */
/* An array of unsigned char, which holds bytes, where one of char holds text. */
bool dt_check_is_bytes(dt_compile_t *, const dt_node_t *);
bool dt_check_is_zero(dt_compile_t *, const dt_node_t *);    /* the constant */
bool dt_check_is_vfptr(dt_compile_t *, const dt_node_t *);   /* void *, to a function */
bool dt_check_is_sized_pointer(dt_compile_t *, const dt_node_t *); /* any other */
/* An aggregation or a whole translation: nothing that a register could hold. */
bool dt_check_is_dynamic(const dt_node_t *);
/* The call of an action, where a value should be. */
bool dt_check_is_actcall(const dt_node_t *);
/* A (resolved) struct, union or enum whose definition is not known. */
bool dt_check_is_incomplete(const dt_type_t *);

/* A new typed node at the place of another. */
dt_node_t *dt_check_node(dt_compile_t *, const dt_node_t *at, dt_nodekind_t, dt_type_t *,
			 dt_node_t *left);
dt_node_t *dt_check_new_int(dt_compile_t *, const dt_node_t *at, dt_type_t *,
			    uint64_t value);

/* A typed node converted to another scalar type or to string; no check. */
dt_node_t *dt_check_convert(dt_compile_t *, dt_node_t *, dt_type_t *);
/* A typed node converted as for assignment to the type; NULL: incompatible. */
dt_node_t *dt_check_assignable(dt_compile_t *, dt_node_t *, dt_type_t *);
/* A string as a pointer to its first character; others unchanged. */
dt_node_t *dt_check_as_chars(dt_compile_t *, dt_node_t *);
/* An array or function as the pointer it stands for in C; others unchanged. */
dt_node_t *dt_check_decay(dt_compile_t *, dt_node_t *);
/* The same type but for names of integers, and for qualifiers. */
bool dt_check_is_same_type(dt_compile_t *, dt_type_t *, dt_type_t *);

/* The types that C's integer promotions and usual arithmetic conversions give. */
dt_type_t *dt_check_promoted(dt_compile_t *, const dt_node_t *);
dt_node_t *dt_check_promote(dt_compile_t *, dt_node_t *);
dt_type_t *dt_check_common_type(dt_compile_t *, const dt_node_t *, const dt_node_t *);

/* What an lvalue is part of: a variable, an array's element, or memory (DEREF). */
const dt_node_t *dt_check_lvalue_root(const dt_node_t *);
bool dt_check_lies_in_userland(const dt_node_t *);
/* Whether a value is by its type a pointer into the traced process. */
bool dt_check_is_userland(dt_compile_t *, const dt_node_t *);

/* Bytes of what a pointer points to; 1 for void. opname, such as "+=", is for messages. */
uint64_t dt_check_pointee_size(dt_compile_t *, const dt_node_t *, const char *opname);
/* pointer + or - index * size of what it points to. */
dt_node_t *dt_check_offset(dt_compile_t *, dt_op_t, dt_node_t *pointer, dt_node_t *index);

/* ---- check_name.c --------------------------------------------------------- */

dt_node_t *dt_check_name(dt_compile_t *, dt_node_t *);
dt_node_t *dt_check_index(dt_compile_t *, dt_node_t *);
dt_node_t *dt_check_member(dt_compile_t *, dt_node_t *);
/* &`name at the place of a node, for the NAME node: a constant, whose type may be void *. */
dt_node_t *dt_check_symbol_address(dt_compile_t *, const dt_node_t *at, dt_node_t *);
/*
 * The left side of an assignment. A variable that is not there yet is declared with the
 * type; an existing one keeps its own. opname, such as "+=", is for messages.
 */
dt_node_t *dt_check_target(dt_compile_t *, dt_node_t *, dt_type_t *, const char *opname);
/* Checks keys and fixes, or compares with, the signature of an array or aggregation. */
void dt_check_keys(dt_compile_t *, dt_ident_t *, dt_node_t *at, dt_node_t **list);
/* An inline's body, once. */
void dt_check_inline(dt_compile_t *, dt_ident_t *, const dt_node_t *at);
/* The same for one with parameters: translate.c. */
void dt_check_inline_params(dt_compile_t *, dt_ident_t *);

/* ---- check_call.c, check_agg.c -------------------------------------------- */

/* A call in an expression: a subroutine. */
dt_node_t *dt_check_call(dt_compile_t *, dt_node_t *);
/* A call that may stand as an aggregation's key: stack(), sym() ... False: it is none. */
bool dt_check_is_keycall(const dt_compile_t *, const dt_node_t *);
dt_node_t *dt_check_keycall(dt_compile_t *, dt_node_t *);
/* A statement whose call is an action. */
void dt_check_action(dt_compile_t *, dt_clause_t *, dt_stmt_t *, const dt_builtin_t *);
void dt_check_aggregation(dt_compile_t *, dt_clause_t *, dt_stmt_t *);
/* That aggregating may follow what the clause has done so far. */
void dt_check_agg_order(dt_compile_t *, const dt_clause_t *, const dt_node_t *);
/* Raises D_PROTO_LEN, or the tag. */
_Noreturn void dt_check_badlength(dt_compile_t *, const dt_node_t *, dt_errtag_t,
				  const char *name, int passed, int least, int most);
/* Raises D_PROTO_ARG, or the tag. */
_Noreturn void dt_check_badarg(dt_compile_t *, const dt_node_t *, dt_errtag_t,
			       const char *name, int number, const char *expected);
/* What to call a node's type in a message: "aggregation" for one. */
const char *dt_check_typename(const dt_node_t *, char *buf, size_t);

/* ---- attribute.c ----------------------------------------------------------- */

struct dt_probe;

extern const dtrace_attribute_t dt_attr_stable;
/* The stability that a name of this kind has unless a pragma says otherwise. */
dtrace_attribute_t dt_attr_initial(dt_identkind_t, uint32_t id);
dtrace_attribute_t dt_attr_min(dtrace_attribute_t, dtrace_attribute_t);
/* The description or statement at hand uses something of these attributes. Raises
 * D_ATTR_MIN when they are below option amin. */
void dt_attr_join(dt_compile_t *, int line, int column, const char *name,
		  dtrace_attribute_t);
void dt_attr_join_ident(dt_compile_t *, int line, int column, const dt_ident_t *);
void dt_attr_join_probe(dt_compile_t *, const dt_pdesc_t *, const struct dt_probe *);

/* ---- check_probe.c ---------------------------------------------------------- */

/* That each of a clause's descriptions matches a probe. */
void dt_check_descriptions(dt_compile_t *, const dt_clause_t *);
/* args[index] at the place of a node. */
dt_node_t *dt_check_args(dt_compile_t *, dt_node_t *at, dt_node_t *index);

/* ---- fold.c --------------------------------------------------------------- */

/* A value as a variable of the (resolved) type holds it, extended to 64 bits again. */
uint64_t dt_fold_convert(const dt_type_t *, uint64_t);
/* The node, or what it folds to. */
dt_node_t *dt_fold(dt_compile_t *, dt_node_t *);

#endif
