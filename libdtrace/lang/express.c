/* SPDX-License-Identifier: Apache-2.0 */
/*
 * express.c - expressions: C's, with C's precedence, and between || and && D's ^^. The
 * binary operators, all of which group to the left, are one function and one table.
 */
#include <string.h>

#include "handle.h"
#include "lang/parse.h"

/* ---- Nodes ------------------------------------------------------------- */

static dt_node_t *node_new(dt_parser_t *p, dt_nodekind_t kind, const dt_token_t *token)
{
	dt_node_t *node = dt_node_new(p->cc, kind, token->line, token->column);

	node->height = 1;
	return node;
}

/* Notes that the other node stands below this one. */
static void node_above(dt_parser_t *p, dt_node_t *node, const dt_node_t *below)
{
	if (below == NULL || below->height < node->height)
		return;
	node->height = below->height + 1;
	if (node->height > DT_HEIGHT_MAX)
		dt_compile_error(p->cc, D_NEST, node->line, node->column,
				 "the expression is more than %d operators deep",
				 DT_HEIGHT_MAX);
}

static dt_node_t *node_with(dt_parser_t *p, dt_nodekind_t kind, const dt_token_t *token,
			    dt_op_t op, dt_node_t *left, dt_node_t *right)
{
	dt_node_t *node = node_new(p, kind, token);

	node->op = op;
	node->left = left;
	node->right = right;
	node_above(p, node, left);
	node_above(p, node, right);
	return node;
}

/* ---- Names that are variables ------------------------------------------ */

static dt_seen_t **seen_chain(dt_parser_t *p, const char *name)
{
	uint32_t hash = 0;

	for (const char *c = name; *c != '\0'; c++)
		hash = hash * 31 + (unsigned char)*c;
	return &p->seen[hash % DT_NAMES_SEEN];
}

static bool is_seen(dt_parser_t *p, const char *name)
{
	for (dt_seen_t *seen = *seen_chain(p, name); seen != NULL; seen = seen->next) {
		if (strcmp(seen->name, name) == 0)
			return true;
	}
	return false;
}

void dt_parse_note_name(dt_parser_t *p, const char *name)
{
	dt_seen_t **chain = seen_chain(p, name), *seen;

	if (is_seen(p, name))
		return;
	seen = dt_compile_alloc(p->cc, sizeof(*seen));
	seen->name = name;
	seen->next = *chain;
	*chain = seen;
}

/* Whether D gives the name a meaning as a value, so that it cannot be a type's. */
static bool is_value_name(dt_parser_t *p, const char *name)
{
	return is_seen(p, name) || dt_builtin_lookup(name) != NULL ||
	       dt_ident_lookup(p->cc->hdl, DT_SCOPE_GLOBAL, name) != NULL;
}

/* Whether a token can begin an operand and cannot continue an expression. */
static bool begins_operand(int kind)
{
	switch (kind) {
	case DT_TOK_IDENT:
	case DT_TOK_KSYM:
	case DT_TOK_AGG:
	case DT_TOK_INT:
	case DT_TOK_STRING:
	case DT_TOK_SELF:
	case DT_TOK_THIS:
	case DT_TOK_SIZEOF:
	case DT_TOK_STRINGOF:
	case DT_TOK_OFFSETOF:
	case DT_TOK_XLATE:
	case '(':
	case '!':
	case '~':
		return true;
	default:
		return false;
	}
}

/*
 * After "(": is it a cast's type? A keyword tells. "(name *)" can only be a type. "(name)"
 * is one when no variable has the name and an operand follows that could not continue an
 * expression; before an operator that can be both, only when a type of that name is known.
 */
static bool at_cast(dt_parser_t *p)
{
	dt_lexer_t ahead = p->lexer;
	dt_token_t name;
	int kind;

	ahead.is_trial = true;
	dt_lex_take(&ahead);
	name = dt_lex_take(&ahead);
	if (DT_TOK_IS_TYPE(name.kind))
		return true;
	if (name.kind != DT_TOK_IDENT || is_value_name(p, name.string))
		return false;
	kind = dt_lex_take(&ahead).kind;
	if (kind == '*') {
		while ((kind = dt_lex_take(&ahead).kind) == '*')
			;
		return kind == ')';
	}
	if (kind != ')')
		return false;
	kind = dt_lex_peek(&ahead)->kind;
	if (begins_operand(kind))
		return true;
	if (kind != '+' && kind != '-' && kind != '*' && kind != '&')
		return false;
	return dt_type_lookup(p->cc->hdl, DT_K_TYPEDEF, name.string) != NULL;
}

/* After "sizeof": whether a type in parentheses follows. */
static bool at_sizeof_type(dt_parser_t *p)
{
	dt_lexer_t ahead = p->lexer;
	dt_token_t name;
	int kind;

	if (dt_parse_peek(p) != '(')
		return false;
	ahead.is_trial = true;
	dt_lex_take(&ahead);
	name = dt_lex_take(&ahead);
	if (DT_TOK_IS_TYPE(name.kind))
		return true;
	if (name.kind != DT_TOK_IDENT || is_value_name(p, name.string))
		return false;
	if (dt_dwarf_is_name(name.string))
		return true;
	kind = dt_lex_peek(&ahead)->kind;
	return (kind == ')' || kind == '*' || kind == '[') &&
	       dt_type_lookup(p->cc->hdl, DT_K_TYPEDEF, name.string) != NULL;
}

/* ---- Primary expressions ----------------------------------------------- */

/* list: assignment {"," assignment} close */
static dt_node_t *node_list(dt_parser_t *p, dt_node_t *owner, int close)
{
	dt_node_t *first = NULL, **tail = &first;

	do {
		*tail = dt_parse_assignment(p);
		node_above(p, owner, *tail);
		tail = &(*tail)->next;
	} while (dt_parse_accept(p, ','));
	dt_parse_expect(p, close);
	return first;
}

/* "self" "->" name | "this" "->" name */
static dt_node_t *scoped_name(dt_parser_t *p, dt_token_t token)
{
	dt_node_t *node = node_new(p, DT_N_NAME, &token);

	node->value = token.kind == DT_TOK_SELF ? DT_SCOPE_SELF : DT_SCOPE_THIS;
	dt_parse_expect(p, DT_TOK_ARROW);
	if (!DT_TOK_IS_WORD(dt_parse_peek(p)))
		dt_parse_fail(p);
	node->string = dt_parse_take(p).string;
	return node;
}

/* name | name "(" [list] ")" */
static dt_node_t *name_or_call(dt_parser_t *p, dt_token_t token)
{
	const dt_ident_t *ident;
	dt_node_t *node;

	if (dt_parse_accept(p, '(')) {
		node = node_new(p, DT_N_CALL, &token);
		node->string = token.string;
		if (!dt_parse_accept(p, ')'))
			node->list = node_list(p, node, ')');
		return node;
	}
	node = node_new(p, DT_N_NAME, &token);
	node->string = token.string;
	node->value = DT_SCOPE_GLOBAL;
	dt_parse_note_name(p, token.string);
	/* An inline stands for a tree of its own. */
	ident = dt_ident_lookup(p->cc->hdl, DT_SCOPE_GLOBAL, token.string);
	if (ident != NULL && ident->kind == DT_I_INLINE)
		node_above(p, node, ident->inline_body);
	return node;
}

/* "@" [name] ["[" list "]"] */
static dt_node_t *aggregation(dt_parser_t *p, dt_token_t token)
{
	dt_node_t *node = node_new(p, DT_N_AGG, &token);

	node->string = token.string;
	if (dt_parse_accept(p, '['))
		node->list = node_list(p, node, ']');
	return node;
}

/* "offsetof" "(" type "," member ")" */
static dt_node_t *offset_of(dt_parser_t *p, dt_token_t token)
{
	dt_node_t *node = node_new(p, DT_N_OFFSETOF, &token);

	dt_parse_expect(p, '(');
	node->type = dt_parse_typename(p);
	dt_parse_expect(p, ',');
	if (!DT_TOK_IS_WORD(dt_parse_peek(p)))
		dt_parse_fail(p);
	node->string = dt_parse_take(p).string;
	dt_parse_expect(p, ')');
	return node;
}

/* "xlate" "<" type ">" "(" expression ")" */
static dt_node_t *translation(dt_parser_t *p, dt_token_t token)
{
	dt_node_t *node = node_new(p, DT_N_XLATE, &token);

	dt_parse_expect(p, '<');
	node->type = dt_parse_typename(p);
	dt_parse_expect(p, '>');
	dt_parse_expect(p, '(');
	node->left = dt_parse_expression(p);
	dt_parse_expect(p, ')');
	node_above(p, node, node->left);
	return node;
}

/* primary: integer | string | name | name "(" [list] ")" | kernel-name | aggregation |
 *	"self->" name | "this->" name | offsetof | xlate | "(" expression ")" */
static dt_node_t *primary(dt_parser_t *p)
{
	dt_token_t token;
	dt_node_t *node;

	switch (dt_parse_peek(p)) {
	case DT_TOK_INT:
		token = dt_parse_take(p);
		node = node_new(p, DT_N_INT, &token);
		node->value = token.value;
		node->type = token.type;
		return node;
	case DT_TOK_STRING:
		token = dt_parse_take(p);
		node = node_new(p, DT_N_STR, &token);
		node->string = token.string;
		node->length = token.string_length;
		node->type = p->cc->hdl->types.string;
		return node;
	case DT_TOK_KSYM:
		token = dt_parse_take(p);
		node = node_new(p, DT_N_NAME, &token);
		node->string = token.string;
		node->value = DT_NAME_KERNEL;
		return node;
	case DT_TOK_IDENT:
		return name_or_call(p, dt_parse_take(p));
	case DT_TOK_SELF:
	case DT_TOK_THIS:
		return scoped_name(p, dt_parse_take(p));
	case DT_TOK_AGG:
		return aggregation(p, dt_parse_take(p));
	case DT_TOK_OFFSETOF:
		return offset_of(p, dt_parse_take(p));
	case DT_TOK_XLATE:
		return translation(p, dt_parse_take(p));
	case '(':
		dt_parse_take(p);
		node = dt_parse_expression(p);
		dt_parse_expect(p, ')');
		return node;
	default:
		dt_parse_fail(p);
	}
}

/* ---- Postfix and unary operators --------------------------------------- */

/* "." name | "->" name, of which the second is the first on what left points to */
static dt_node_t *member(dt_parser_t *p, const dt_token_t *token, dt_node_t *left)
{
	dt_node_t *node;

	if (token->kind == DT_TOK_ARROW)
		left = node_with(p, DT_N_DEREF, token, DT_OP_NONE, left, NULL);
	node = node_with(p, DT_N_MEMBER, token, DT_OP_NONE, left, NULL);
	if (!DT_TOK_IS_WORD(dt_parse_peek(p)))
		dt_parse_fail(p);
	node->string = dt_parse_take(p).string;
	return node;
}

/* What stands before ( must be a name. */
_Noreturn static void not_function(dt_parser_t *p, const dt_node_t *node)
{
	const dt_token_t *token = dt_lex_peek(&p->lexer);

	if (node->kind == DT_N_NAME && node->value == DT_NAME_KERNEL)
		dt_compile_error(p->cc, D_FUNC_UNDEF, node->line, node->column,
				 "undefined function name: `%s( )", node->string);
	dt_compile_error(p->cc, D_FUNC_IDENT, token->line, token->column,
			 "what is called is not the name of a function");
}

/* postfix: primary {"[" list "]" | "." name | "->" name | "++" | "--"} */
static dt_node_t *postfix(dt_parser_t *p)
{
	dt_node_t *node = primary(p);

	for (;;) {
		dt_token_t token;

		switch (dt_parse_peek(p)) {
		case '(':
			not_function(p, node);
		case '[':
			token = dt_parse_take(p);
			if (node->kind == DT_N_AGG && node->list != NULL)
				dt_compile_error(p->cc, D_AGG_MDIM, token.line, token.column,
						 "@%s is no array of arrays: all keys "
						 "stand in one [ ]",
						 node->string);
			node = node_with(p, DT_N_INDEX, &token, DT_OP_NONE, node, NULL);
			node->list = node_list(p, node, ']');
			break;
		case '.':
		case DT_TOK_ARROW:
			token = dt_parse_take(p);
			node = member(p, &token, node);
			break;
		case DT_TOK_INC:
			token = dt_parse_take(p);
			node = node_with(p, DT_N_INCDEC, &token, DT_OP_POSTINC, node, NULL);
			break;
		case DT_TOK_DEC:
			token = dt_parse_take(p);
			node = node_with(p, DT_N_INCDEC, &token, DT_OP_POSTDEC, node, NULL);
			break;
		default:
			return node;
		}
	}
}

static dt_node_t *unary(dt_parser_t *p);

/* cast: "(" type ")" unary */
static dt_node_t *cast(dt_parser_t *p)
{
	dt_token_t token = dt_parse_expect(p, '(');
	dt_type_t *type = dt_parse_typename(p);
	dt_node_t *node;

	dt_parse_expect(p, ')');
	node = node_with(p, DT_N_CAST, &token, DT_OP_NONE, unary(p), NULL);
	node->type = type;
	return node;
}

/* "sizeof" unary | "sizeof" "(" type ")" */
static dt_node_t *size_of(dt_parser_t *p, dt_token_t token)
{
	dt_node_t *node;

	if (!at_sizeof_type(p))
		return node_with(p, DT_N_SIZEOF, &token, DT_OP_NONE, unary(p), NULL);
	node = node_new(p, DT_N_SIZEOF, &token);
	dt_parse_expect(p, '(');
	node->type = dt_parse_typename(p);
	dt_parse_expect(p, ')');
	return node;
}

static dt_node_t *unary_with(dt_parser_t *p, dt_nodekind_t kind, dt_op_t op)
{
	dt_token_t token = dt_parse_take(p);

	return node_with(p, kind, &token, op, unary(p), NULL);
}

static dt_node_t *string_of(dt_parser_t *p)
{
	dt_node_t *node = unary_with(p, DT_N_CAST, DT_OP_NONE);

	node->type = p->cc->hdl->types.string;
	node->is_stringof = true;
	return node;
}

/* The rule of unary(), within the bound on nesting. */
static dt_node_t *unary_inner(dt_parser_t *p)
{
	switch (dt_parse_peek(p)) {
	case '-':
		return unary_with(p, DT_N_UNARY, DT_OP_NEG);
	case '+':
		return unary_with(p, DT_N_UNARY, DT_OP_PLUS);
	case '~':
		return unary_with(p, DT_N_UNARY, DT_OP_BNOT);
	case '!':
		return unary_with(p, DT_N_UNARY, DT_OP_LNOT);
	case '*':
		return unary_with(p, DT_N_DEREF, DT_OP_NONE);
	case '&':
		return unary_with(p, DT_N_ADDR, DT_OP_NONE);
	case DT_TOK_INC:
		return unary_with(p, DT_N_INCDEC, DT_OP_PREINC);
	case DT_TOK_DEC:
		return unary_with(p, DT_N_INCDEC, DT_OP_PREDEC);
	case DT_TOK_SIZEOF:
		return size_of(p, dt_parse_take(p));
	case DT_TOK_STRINGOF:
		return string_of(p);
	case '(':
		return at_cast(p) ? cast(p) : postfix(p);
	default:
		return postfix(p);
	}
}

/* unary: ("-" | "+" | "~" | "!" | "*" | "&" | "++" | "--" | "stringof") unary |
 *	sizeof | cast | postfix */
static dt_node_t *unary(dt_parser_t *p)
{
	dt_node_t *node;

	dt_parse_enter(p);
	node = unary_inner(p);
	dt_parse_leave(p);
	return node;
}

/* ---- Binary operators -------------------------------------------------- */

static const struct binary {
	int kind;
	dt_op_t op;
	int precedence;
} binaries[] = {
    {DT_TOK_LOR, DT_OP_LOR, 1}, {DT_TOK_LXOR, DT_OP_LXOR, 2}, {DT_TOK_LAND, DT_OP_LAND, 3},
    {'|', DT_OP_OR, 4},		{'^', DT_OP_XOR, 5},	      {'&', DT_OP_AND, 6},
    {DT_TOK_EQ, DT_OP_EQ, 7},	{DT_TOK_NE, DT_OP_NE, 7},     {'<', DT_OP_LT, 8},
    {DT_TOK_LE, DT_OP_LE, 8},	{'>', DT_OP_GT, 8},	      {DT_TOK_GE, DT_OP_GE, 8},
    {DT_TOK_SHL, DT_OP_SHL, 9}, {DT_TOK_SHR, DT_OP_SHR, 9},   {'+', DT_OP_ADD, 10},
    {'-', DT_OP_SUB, 10},	{'*', DT_OP_MUL, 11},	      {'/', DT_OP_DIV, 11},
    {'%', DT_OP_MOD, 11},
};

static const struct binary *binary_find(int kind)
{
	for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++) {
		if (binaries[i].kind == kind)
			return &binaries[i];
	}
	return NULL;
}

/* binary: unary {operator binary}, with operators of at least the precedence */
static dt_node_t *binary(dt_parser_t *p, int precedence)
{
	dt_node_t *left = unary(p), *right;
	const struct binary *found;

	for (;;) {
		dt_token_t token;

		found = binary_find(dt_parse_peek(p));
		if (found == NULL || found->precedence < precedence)
			return left;
		token = dt_parse_take(p);
		right = binary(p, found->precedence + 1);
		left = node_with(p, DT_N_BINARY, &token, found->op, left, right);
	}
}

/* ---- Conditional, assignment, comma ------------------------------------ */

/* conditional: binary ["?" expression ":" conditional] */
static dt_node_t *conditional(dt_parser_t *p)
{
	dt_node_t *condition = binary(p, 1), *node;
	dt_token_t token;

	if (dt_parse_peek(p) != '?')
		return condition;
	dt_parse_enter(p);
	token = dt_parse_take(p);
	node = node_with(p, DT_N_COND, &token, DT_OP_NONE, condition, NULL);
	node->right = dt_parse_expression(p);
	dt_parse_expect(p, ':');
	node->third = conditional(p);
	node_above(p, node, node->right);
	node_above(p, node, node->third);
	dt_parse_leave(p);
	return node;
}

/* The operator within an assignment operator; -1: it is none. */
static int assignment_op(int kind)
{
	switch (kind) {
	case '=':
		return DT_OP_NONE;
	case DT_TOK_ADD_EQ:
		return DT_OP_ADD;
	case DT_TOK_SUB_EQ:
		return DT_OP_SUB;
	case DT_TOK_MUL_EQ:
		return DT_OP_MUL;
	case DT_TOK_DIV_EQ:
		return DT_OP_DIV;
	case DT_TOK_MOD_EQ:
		return DT_OP_MOD;
	case DT_TOK_AND_EQ:
		return DT_OP_AND;
	case DT_TOK_OR_EQ:
		return DT_OP_OR;
	case DT_TOK_XOR_EQ:
		return DT_OP_XOR;
	case DT_TOK_SHL_EQ:
		return DT_OP_SHL;
	case DT_TOK_SHR_EQ:
		return DT_OP_SHR;
	default:
		return -1;
	}
}

/* assignment: conditional [assignment-operator assignment] */
dt_node_t *dt_parse_assignment(dt_parser_t *p)
{
	dt_node_t *left;
	dt_token_t token;
	int op;

	dt_parse_enter(p);
	left = conditional(p);
	op = assignment_op(dt_parse_peek(p));
	if (op >= 0) {
		token = dt_parse_take(p);
		left = node_with(p, DT_N_ASSIGN, &token, (dt_op_t)op, left,
				 dt_parse_assignment(p));
	}
	dt_parse_leave(p);
	return left;
}

/* expression: assignment {"," assignment} */
dt_node_t *dt_parse_expression(dt_parser_t *p)
{
	dt_node_t *left = dt_parse_assignment(p);

	while (dt_parse_peek(p) == ',') {
		dt_token_t token = dt_parse_take(p);

		left = node_with(p, DT_N_COMMA, &token, DT_OP_NONE, left,
				 dt_parse_assignment(p));
	}
	return left;
}
