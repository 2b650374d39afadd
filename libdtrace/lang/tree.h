/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - what the front end makes of D text. The parser builds it untyped, the
 * checker (check.c) resolves names, folds constants and gives every expression a
 * type; code generation reads the typed tree and nothing else of the front end.
 *
 * The tree and its strings live in the program's arena.
 */
#ifndef DT_TREE_H
#define DT_TREE_H

#include "dtrace.h"
#include "types/types.h"

/* ---- Identifiers -------------------------------------------------------- */

typedef enum dt_identkind {
	DT_I_VAR,     /* scalar of any type, in scope */
	DT_I_ASSOC,   /* associative array */
	DT_I_BUILTIN, /* built-in variable: id is DT_VAR_* */
	DT_I_AGG,     /* aggregation: id is the varid, from 1 */
	DT_I_SUBR,    /* subroutine: id is DT_SUBR_* */
	DT_I_ACTION,  /* action: id is DT_ACTION_* */
	DT_I_AGGFUNC, /* aggregating function: id is DTRACEAGG_* */
	DT_I_INLINE,  /* inline constant or array */
	DT_I_KSYM     /* kernel variable, `name */
} dt_identkind_t;

typedef enum dt_scope { DT_SCOPE_GLOBAL, DT_SCOPE_SELF, DT_SCOPE_THIS } dt_scope_t;
#define DT_NAME_KERNEL 3 /* in place of a scope in DT_N_NAME: `name */

typedef struct dt_node dt_node_t;

typedef struct dt_ident {
	struct dt_ident *next; /* in the hash chain */
	const char *name;
	dt_identkind_t kind;
	dt_scope_t scope;
	uint32_t id;
	dt_type_t *type;    /* DT_K_DYN until the first assignment */
	dt_type_t **keys;   /* ASSOC, AGG: key types, fixed by the first use; but integer
			     * keys keep their own type in the tree (no CAST), and a later,
			     * wider one widens the type here. SUBR, ACTION: parameters */
	int nkeys;	    /* ASSOC and AGG: -1 until known */
	bool is_signature_known;
	/* AGG: the function and its parameters, fixed by the first use */
	uint16_t aggfunc;
	uint64_t aggarg; /* encoded lquantize/llquantize parameters */
	const char **key_names; /* INLINE with parameters: theirs; keys: their types */
	dt_node_t *inline_body;
	/* VAR that was assigned xlate<T>(value): T; the variable holds the value */
	dt_type_t *xlate_type;
	dtrace_attribute_t attributes; /* its stability */
	uint64_t address; /* KSYM */
	uint32_t storage; /* codegen: offset in its area (set by codegen) */
	uint32_t order;	  /* creation order in the handle, from 0 */
} dt_ident_t;

/* ---- Expressions --------------------------------------------------------- */

typedef enum dt_nodekind {
	DT_N_INT,    /* value; the parser sets the literal's type by C's rules; after
		      * checking any scalar type, value extended to 64 bits as by the type */
	DT_N_STR,    /* string, length (without the NUL); type string */
	DT_N_NAME,   /* parser only: string, and value DT_SCOPE_SELF for self->x, DT_SCOPE_THIS
		      * for this->x, DT_NAME_KERNEL for `x ("x" or "module`x"), otherwise
		      * DT_SCOPE_GLOBAL; the checker replaces it */
	DT_N_VAR,    /* ident: VAR, BUILTIN */
	DT_N_INDEX,  /* ident ASSOC or BUILTIN array (args[], uregs[]) with list; or
		      * parser: left[list]; the checker turns C indexing into DEREF(ADD) */
	DT_N_AGG,    /* ident, list = keys (NULL: none); only where D allows one (parser:
		      * string is the name without '@', "" for @) */
	DT_N_UNARY,  /* op, left: - ~ ! + (logical neg is type int) */
	DT_N_DEREF,  /* *left: an lvalue of type type; `symbol is one, with its ident */
	DT_N_ADDR,   /* &left */
	DT_N_MEMBER, /* left.member: left is an lvalue of struct/union type; string is the
		      * name; after checking bit_offset, bit_size. p->m is MEMBER(DEREF(p)) */
	DT_N_BINARY, /* op, left, right; after checking both have the usual arithmetic type,
		      * or both string, or pointer arithmetic already scaled (MUL by size) */
	DT_N_COND,   /* left ? right : third */
	DT_N_ASSIGN, /* left op= right; op 0 for plain =. After checking: plain, right has
		      * left's type, or is INT 0 for a string, struct or union (the variable
		      * lets go of its value); op=, right has the type to do op in (left is
		      * extended to it and the result converted back), but for << and >>, done
		      * in left's promoted type, and pointers, where right is scaled */
	DT_N_INCDEC, /* op DT_OP_PREINC..POSTDEC, left; value: the step (pointer scaling) */
	DT_N_CAST,   /* (type)left; also stringof (type string) */
	DT_N_COMMA,  /* left, right */
	DT_N_CALL,   /* ident SUBR/ACTION/AGGFUNC (parser: string is the name), list = args;
		      * after checking, of an AGGFUNC's: the value, then the increment if any */
	DT_N_SIZEOF, /* parser: left, or type; the checker folds it to INT */
	DT_N_OFFSETOF, /* parser: type, string */
	DT_N_XLATE   /* xlate<type>(left); the checker leaves none: what is read of one is a
		      * member, and becomes the translator's expression for it */
} dt_nodekind_t;

typedef enum dt_op {
	DT_OP_NONE,
	DT_OP_ADD, DT_OP_SUB, DT_OP_MUL, DT_OP_DIV, DT_OP_MOD,
	DT_OP_SHL, DT_OP_SHR, DT_OP_AND, DT_OP_OR, DT_OP_XOR,
	DT_OP_EQ, DT_OP_NE, DT_OP_LT, DT_OP_LE, DT_OP_GT, DT_OP_GE,
	DT_OP_LAND, DT_OP_LOR, DT_OP_LXOR, /* && || ^^ */
	DT_OP_NEG, DT_OP_BNOT, DT_OP_LNOT, DT_OP_PLUS,
	DT_OP_PREINC, DT_OP_PREDEC, DT_OP_POSTINC, DT_OP_POSTDEC
} dt_op_t;

struct dt_node {
	dt_nodekind_t kind;
	dt_op_t op;
	int line, column; /* from 1; column 0: not known */
	dt_type_t *type;
	dt_node_t *next; /* in a list */
	dt_node_t *left, *right, *third;
	dt_node_t *list; /* keys or arguments */
	dt_ident_t *ident;
	uint64_t value;
	const char *string;
	size_t length;
	uint32_t bit_offset, bit_size; /* MEMBER */
	uint32_t height; /* parser: of the tree below, bounded so that recursion is */
	bool is_userland; /* pointer value that points to user memory */
	bool is_checked;  /* checker: typed already, and may stand in several places */
	bool is_translated; /* checker: a value, whatever it is made of */
	bool is_stringof;   /* of a CAST: written as stringof */
	bool is_if;	    /* of a COND: the condition of "if" */
	struct dt_translator *translator; /* XLATE, once checked */
};

/* ---- Statements and clauses ---------------------------------------------- */

typedef enum dt_stmtkind {
	DT_S_EXPR,   /* expr is evaluated for its effect */
	DT_S_ACTION, /* expr is a CALL of an action */
	DT_S_AGG     /* agg (DT_N_AGG) = call (CALL of an AGGFUNC) */
} dt_stmtkind_t;

typedef struct dt_stmt {
	struct dt_stmt *next;
	dt_stmtkind_t kind;
	int line;
	dt_node_t *expr;
	dt_node_t *agg;
	void *format; /* printf/printa/system/freopen: from dtrace_printf_create */
} dt_stmt_t;

/* One probe description of a clause, as written, macros expanded. */
typedef struct dt_pdesc {
	struct dt_pdesc *next;
	int line;
	dtrace_probedesc_t desc;
} dt_pdesc_t;

typedef struct dt_clause {
	struct dt_clause *next;
	int line;
	dt_pdesc_t *pdescs;
	dt_node_t *predicate; /* NULL: none */
	dt_stmt_t *stmts;
	uint32_t nstmts;
	bool is_part; /* of the clause in the text, which another stands for */
	/* What the clause does, gathered by the checker. */
	uint32_t naggs;	       /* aggregating statements */
	bool records;	       /* has an action that records data (or no statement at all) */
	bool destructive;
	bool speculates, commits; /* has speculate(), commit() */
	dtrace_attribute_t descattr, stmtattr; /* stability */
} dt_clause_t;

struct dt_arena;

struct dtrace_prog {
	struct dtrace_prog *next;
	struct dt_arena *arena;
	dt_clause_t *clauses;
	uint32_t cflags;
	dtrace_proginfo_t info;
};

/* ---- The front end's entries --------------------------------------------- */

/*
 * lex.c, parse.c, decl.c: text to untyped tree. Errors are raised with
 * dt_compile_error(); types and declarations go to the handle.
 */
struct dt_compile; /* lang/compile.h */
void dt_parse(struct dt_compile *);
/* check.c: the whole program of the compile, in place. */
void dt_check(struct dt_compile *);

#endif
