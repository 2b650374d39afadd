/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_call.c - calls against the prototypes of builtins.def. A prototype is a list of
 * words: types of D, and for actions the words that builtins.def explains. Actions stand
 * as statements only; stack(), sym() and their like may also be keys of aggregations.
 *
 * libdtrace's consumers know many of its actions' errors by tags of their own: the table
 * below has them.
 */
#include "lang/check.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "consume/consume.h"

/* ---- Prototypes ---------------------------------------------------------------- */

typedef struct dt_param {
	char word[40];
	bool is_optional;
} dt_param_t;

/* The next parameter of a prototype; false at its end. */
static bool next_param(const char **cursor, dt_param_t *param)
{
	const char *p = *cursor;
	size_t length = 0;

	p += strspn(p, " ,");
	param->is_optional = *p == '[';
	p += strspn(p, "[");
	while (p[length] != '\0' && p[length] != ',' && p[length] != ']' &&
	       length < sizeof(param->word) - 1)
		length++;
	memcpy(param->word, p, length);
	param->word[length] = '\0';
	p += length;
	*cursor = p + strspn(p, "]");
	return length > 0;
}

static bool is_word(const dt_param_t *param, const char *word)
{
	return strcmp(param->word, word) == 0;
}

/* How many arguments a prototype takes. Returns the number of its parameters. */
static int count_params(const char *args, int *least, int *most)
{
	dt_param_t param;
	int n = 0;

	*least = *most = 0;
	while (next_param(&args, &param)) {
		n++;
		if (strchr(param.word, '.') != NULL)
			*most = INT_MAX;
		else if (*most != INT_MAX)
			++*most;
		*least += !param.is_optional && !is_word(&param, "...");
	}
	return n;
}

static int count_list(const dt_node_t *list)
{
	int n = 0;

	for (; list != NULL; list = list->next)
		n++;
	return n;
}

/*
 * The types of the prototype's parameters (void for words that are no type), kept with
 * the handle's identifier of the built-in that the call names.
 */
static dt_type_t **param_types(dt_compile_t *c, const dt_node_t *at, const char *args)
{
	int least, most, n = count_params(args, &least, &most), i = 0;
	dt_ident_t *ident = at->ident;
	dt_param_t param;

	if (ident->keys != NULL)
		return ident->keys;
	ident->keys = dt_compile_alloc(c, (size_t)(n + 1) * sizeof(*ident->keys));
	while (next_param(&args, &param)) {
		ident->keys[i] = c->hdl->types.void_;
		if (strpbrk(param.word, "@.") == NULL && !is_word(&param, "fmt") &&
		    !is_word(&param, "const"))
			ident->keys[i] = dt_builtin_type(c, param.word, at);
		i++;
	}
	return ident->keys;
}

/* ---- Errors -------------------------------------------------------------------- */

void dt_check_badlength(dt_compile_t *c, const dt_node_t *at, dt_errtag_t tag,
			const char *name, int passed, int least, int most)
{
	char expected[48];

	if (least == most)
		snprintf(expected, sizeof(expected), "%d", least);
	else if (most == INT_MAX)
		snprintf(expected, sizeof(expected), "at least %d", least);
	else
		snprintf(expected, sizeof(expected), "%d to %d", least, most);
	dt_compile_error(c, tag, at->line, at->column,
			 "%s prototype mismatch: %d arg%s passed, %s expected", name,
			 passed, passed == 1 ? "" : "s", expected);
}

const char *dt_check_typename(const dt_node_t *n, char *buf, size_t size)
{
	if (n->kind == DT_N_AGG || n->type == NULL) {
		snprintf(buf, size, "aggregation");
		return buf;
	}
	return dt_type_name(n->type, buf, size);
}

void dt_check_badarg(dt_compile_t *c, const dt_node_t *n, dt_errtag_t tag, const char *name,
		     int number, const char *expected)
{
	char type[DT_TYPESTR];

	dt_compile_error(c, tag, n->line, n->column,
			 "%s argument #%d is incompatible with prototype:\n"
			 "\tprototype: %s\n\t argument: %s",
			 name, number, expected, dt_check_typename(n, type, sizeof(type)));
}

/* An argument that is not of its parameter's type: where a cast is all that is missing, the
 * message says which. */
static _Noreturn void bad_typed_arg(dt_compile_t *c, const dt_node_t *n, dt_errtag_t tag,
				    const char *name, int number, dt_type_t *type)
{
	const dt_type_t *to = dt_type_resolve(c->hdl, type);
	bool is_number = to->kind == DT_K_INT && to->size == sizeof(uint64_t);
	char parameter[DT_TYPESTR], expected[2 * DT_TYPESTR + 32];

	dt_type_name(type, parameter, sizeof(parameter));
	if (n->kind != DT_N_AGG && is_number && dt_check_type(c, n)->kind == DT_K_PTR)
		snprintf(expected, sizeof(expected), "%s (a pointer needs a cast: (%s))",
			 parameter, parameter);
	else
		snprintf(expected, sizeof(expected), "%s", parameter);
	dt_check_badarg(c, n, tag, name, number, expected);
}

/* ---- Subroutines --------------------------------------------------------------- */

/* An argument as the type asks for; NULL: incompatible. */
static dt_node_t *convert_arg(dt_compile_t *c, dt_node_t *n, dt_type_t *type)
{
	const dt_type_t *to = dt_type_resolve(c->hdl, type);

	if (to->kind == DT_K_STRING && dt_check_is_zero(c, n)) /* NULL */
		return dt_check_node(c, n, DT_N_CAST, c->hdl->types.string, n);
	if (to->kind == DT_K_PTR && dt_type_resolve(c->hdl, to->ref)->kind == DT_K_VOID) {
		n = dt_check_as_chars(c, n);
		if (dt_check_type(c, n)->kind == DT_K_PTR)
			return n; /* what it points to is kept, for rw_read_held() */
	}
	if (to->kind == DT_K_INT && to->size < sizeof(uint64_t) && !dt_check_is_int(c, n))
		return NULL;
	return dt_check_assignable(c, n, type);
}

/*
 * A call in an expression of what is no subroutine. That of an action has no value, which
 * is for the operator around it to say; dt_check_leftover() finds those that nobody does.
 */
static dt_node_t *not_subroutine(dt_compile_t *c, dt_node_t *n, const dt_builtin_t *builtin)
{
	if (builtin == NULL && dt_ident_lookup(c->hdl, DT_SCOPE_GLOBAL, n->string) == NULL)
		dt_compile_error(c, D_FUNC_UNDEF, n->line, n->column,
				 "undefined function name: %s( )", n->string);
	if (builtin == NULL || builtin->ident.kind == DT_I_BUILTIN)
		dt_compile_error(c, D_FUNC_IDKIND, n->line, n->column,
				 "variable '%s' may not be referenced as a function",
				 n->string);
	n->ident = NULL;
	n->type = c->hdl->types.void_;
	c->has_leftover = true;
	return n;
}

/* What rw_read_held() and its like can look into: a struct rw_semaphore, an rwlock_t. */
static bool is_rwlock(dt_compile_t *c, const dt_node_t *n)
{
	const dt_type_t *pointer = dt_check_type(c, n);
	dt_type_t *lock;
	uint32_t offset;

	if (pointer->kind != DT_K_PTR)
		return false;
	lock = dt_type_resolve(c->hdl, pointer->ref);
	if (lock->kind != DT_K_STRUCT)
		return false;
	return (lock->name != NULL && strcmp(lock->name, "rw_semaphore") == 0) ||
	       dt_type_member(c->hdl, lock, "raw_lock", &offset) != NULL;
}

/* What a subroutine asks for that its prototype does not say. */
static void check_special(dt_compile_t *c, const dt_node_t *n, const char *name)
{
	switch (n->ident->id) {
	case DT_SUBR_COPYOUT:
	case DT_SUBR_COPYOUTSTR:
		if (c->clause != NULL && c->clause->speculates)
			dt_compile_error(c, D_ACT_SPEC, n->line, n->column,
					 "destructive actions may not follow speculate( )");
		if (c->clause != NULL)
			c->clause->destructive = true;
		break;
	case DT_SUBR_RW_ISWRITER:
	case DT_SUBR_RW_READ_HELD:
	case DT_SUBR_RW_WRITE_HELD:
		if (!is_rwlock(c, n->list))
			dt_check_badarg(c, n->list, D_PROTO_ARG, name, 1,
					"struct rw_semaphore * or rwlock_t *");
		break;
	default:
		break;
	}
}

dt_node_t *dt_check_call(dt_compile_t *c, dt_node_t *n)
{
	const dt_builtin_t *builtin = dt_builtin_find(n->string);
	dt_node_t **link, *next, *arg;
	char name[DT_IDENTSTR];
	int passed, least, most, i = 0;
	dt_type_t **types;

	if (builtin == NULL || builtin->ident.kind != DT_I_SUBR)
		return not_subroutine(c, n, builtin);
	n->ident = dt_builtin_ident(c, builtin, n);
	n->type = n->ident->type;
	snprintf(name, sizeof(name), "%s( )", n->string);

	passed = count_list(n->list);
	count_params(builtin->args, &least, &most);
	if (passed < least || passed > most)
		dt_check_badlength(c, n, D_PROTO_LEN, name, passed, least, most);
	types = param_types(c, n, builtin->args);
	n->list = dt_check_list(c, n->list, dt_check_expr);
	check_special(c, n, name);
	for (link = &n->list; *link != NULL; link = &(*link)->next, i++) {
		next = (*link)->next;
		arg = convert_arg(c, *link, types[i]);
		if (arg == NULL)
			bad_typed_arg(c, *link, D_PROTO_ARG, name, i + 1, types[i]);
		*link = arg;
		arg->next = next;
	}
	return n;
}

/* ---- Actions ------------------------------------------------------------------- */

/* The tags of an action's errors. */
typedef struct dt_actiontags {
	dt_actionid_t id;
	dt_errtag_t length;  /* wrong number of arguments */
	dt_errtag_t value;   /* a value of the wrong type, or no constant */
	dt_errtag_t agg;     /* no aggregation where there must be one */
	dt_errtag_t unknown; /* an aggregation that no one has aggregated into */
} dt_actiontags_t;

static const dt_actiontags_t actiontags[] = {
    {DT_ACTION_CLEAR, D_CLEAR_PROTO, D_PROTO_ARG, D_CLEAR_AGGARG, D_CLEAR_AGGBAD},
    {DT_ACTION_DENORMALIZE, D_NORMALIZE_PROTO, D_PROTO_ARG, D_NORMALIZE_AGGARG,
     D_NORMALIZE_AGGBAD},
    {DT_ACTION_NORMALIZE, D_NORMALIZE_PROTO, D_NORMALIZE_SCALAR, D_NORMALIZE_AGGARG,
     D_NORMALIZE_AGGBAD},
    {DT_ACTION_JSTACK, D_USTACK_PROTO, D_USTACK_FRAMES, D_PROTO_ARG, D_PROTO_ARG},
    {DT_ACTION_PRINTA, D_PRINTA_PROTO, D_PROTO_ARG, D_PRINTA_AGGARG, D_PRINTA_AGGBAD},
    {DT_ACTION_STACK, D_STACK_PROTO, D_STACK_SIZE, D_PROTO_ARG, D_PROTO_ARG},
    {DT_ACTION_TRACEMEM, D_PROTO_LEN, D_TRACEMEM_ADDR, D_PROTO_ARG, D_PROTO_ARG},
    {DT_ACTION_TRUNC, D_TRUNC_PROTO, D_TRUNC_SCALAR, D_TRUNC_AGGARG, D_TRUNC_AGGBAD},
    {DT_ACTION_USTACK, D_USTACK_PROTO, D_USTACK_FRAMES, D_PROTO_ARG, D_PROTO_ARG},
};

static const dt_actiontags_t default_tags = {
    0, D_PROTO_LEN, D_PROTO_ARG, D_PROTO_ARG, D_PROTO_ARG,
};

/* A call of an action while its arguments are being checked. */
typedef struct dt_actioncall {
	const dt_builtin_t *builtin;
	const dt_actiontags_t *tags;
	dt_node_t *call;
	char name[48]; /* "printf( )" */
	int number;    /* of the argument at hand, from 1 */
	dt_node_t *format;
	int naggs;
} dt_actioncall_t;

static const dt_actiontags_t *find_tags(uint32_t id)
{
	size_t i;

	for (i = 0; i < sizeof(actiontags) / sizeof(actiontags[0]); i++) {
		if (actiontags[i].id == id)
			return &actiontags[i];
	}
	return &default_tags;
}

static dt_node_t *check_aggarg(dt_compile_t *c, const dt_actioncall_t *a, dt_node_t *n)
{
	if (n->kind != DT_N_AGG) {
		n = dt_check_expr(c, n);
		dt_check_badarg(c, n, a->tags->agg, a->name, a->number, "aggregation");
	}
	if (n->list != NULL)
		dt_compile_error(c, a->tags->agg, n->line, n->column,
				 "%s argument #%d is a whole aggregation: @%s may not have "
				 "keys here",
				 a->name, a->number, n->string);
	n->ident = dt_agg_lookup(c->hdl, n->string);
	if (n->ident == NULL || n->ident->aggfunc == 0)
		dt_compile_error(c, a->tags->unknown, n->line, n->column,
				 "undefined aggregation: @%s", n->string);
	n->type = c->hdl->types.void_;
	return n;
}

static dt_node_t *check_constarg(dt_compile_t *c, const dt_actioncall_t *a, dt_node_t *n)
{
	dt_errtag_t tag = a->tags->value;
	char what[80];

	snprintf(what, sizeof(what), "%s argument #%d", a->name, a->number);
	if (a->builtin->ident.id == DT_ACTION_TRACEMEM) {
		tag = D_TRACEMEM_SIZE;
		n = dt_check_value(c, n);
		if (!dt_check_is_int(c, n))
			dt_check_badarg(c, n, D_PROTO_ARG, a->name, a->number, "size_t");
	} else if (a->builtin->ident.id != DT_ACTION_STACK && a->number == 2)
		tag = D_USTACK_STRSIZE;
	n = dt_check_const(c, n, tag, what);
	if ((int64_t)n->value < (tag != D_USTACK_STRSIZE) || n->value > INT32_MAX)
		dt_compile_error(c, tag, n->line, n->column,
				 "%s must be a positive integer constant below 2^31", what);
	return n;
}

/* The tags of what cannot be recorded: an aggregation, nothing, a value of no known type. */
typedef struct dt_valuetags {
	dt_errtag_t agg, void_, dyn;
} dt_valuetags_t;

static dt_valuetags_t value_tags(const dt_actioncall_t *a)
{
	switch (a->builtin->ident.id) {
	case DT_ACTION_TRACE:
		return (dt_valuetags_t){D_TRACE_AGG, D_TRACE_VOID, D_TRACE_DYN};
	case DT_ACTION_PRINT:
		return (dt_valuetags_t){D_PRINT_AGG, D_PRINT_VOID, D_PRINT_DYN};
	default:
		return (dt_valuetags_t){D_PRINTF_ARG_TYPE, D_PRINTF_ARG_TYPE,
					D_PRINTF_ARG_TYPE};
	}
}

/* Any value that can be recorded: for "..." */
static dt_node_t *check_anyarg(dt_compile_t *c, const dt_actioncall_t *a, dt_node_t *n)
{
	uint32_t action = a->builtin->ident.id;
	dt_valuetags_t tags = value_tags(a);
	const dt_type_t *value;
	char type[DT_TYPESTR];

	if (n->kind == DT_N_AGG)
		dt_compile_error(c, tags.agg, n->line, n->column,
				 "%s may not be applied to an aggregation: use "
				 "printa( )",
				 a->name);
	/* A stack or a symbol, by a conversion of its own. */
	if (a->format != NULL && dt_check_is_keycall(c, n))
		return dt_check_keycall(c, n);
	n = dt_check_expr(c, n);
	if (action != DT_ACTION_PRINT &&
	    !(action == DT_ACTION_TRACE && dt_check_is_bytes(c, n)))
		n = dt_check_datum(c, n);
	value = dt_check_is_dynamic(n) ? c->hdl->types.dyn : dt_check_type(c, n);
	switch (dt_check_is_incomplete(value) ? DT_K_FORWARD : value->kind) {
	case DT_K_INT:
	case DT_K_ENUM:
	case DT_K_PTR:
	case DT_K_STRING:
	case DT_K_STRUCT:
	case DT_K_UNION:
	case DT_K_ARRAY:
		return n;
	case DT_K_VOID:
		dt_compile_error(c, tags.void_, n->line, n->column, "%s may not be applied to a void expression",
				 a->name);
	case DT_K_DYN:
		dt_compile_error(c, tags.dyn, n->line, n->column, "%s may not be applied to a dynamic expression",
				 a->name);
	default:
		dt_compile_error(c, tags.dyn, n->line, n->column,
				 "%s may not be applied to a value of type \"%s\"", a->name,
				 dt_type_name(n->type, type, sizeof(type)));
	}
}

static dt_node_t *check_typedarg(dt_compile_t *c, const dt_actioncall_t *a, dt_node_t *n,
				 dt_type_t *type)
{
	bool is_tracemem = a->builtin->ident.id == DT_ACTION_TRACEMEM;
	bool is_pcap = a->builtin->ident.id == DT_ACTION_PCAP, is_userland;
	dt_errtag_t tag =
	    is_tracemem && a->number > 1 ? D_TRACEMEM_DYNSIZE : a->tags->value;
	dt_node_t *arg;

	if (n->kind == DT_N_AGG)
		bad_typed_arg(c, n, tag, a->name, a->number, type);
	n = dt_check_value(c, n);
	is_userland = n->is_userland;
	/* To these an address is a pointer to anything, or a number. */
	if ((is_tracemem || is_pcap) && a->number == 1 &&
	    dt_check_type(c, n)->kind == DT_K_PTR)
		arg = dt_check_convert(c, n, type);
	else
		arg = convert_arg(c, n, type);
	if (arg == NULL)
		bad_typed_arg(c, n, tag, a->name, a->number, type);
	arg->is_userland = is_userland;
	return arg;
}

/* What a format may not be. freopen() of nothing goes back to what output was before. */
static void check_content(dt_compile_t *c, const dt_actioncall_t *a, const dt_node_t *n)
{
	if (a->builtin->ident.id == DT_ACTION_FREOPEN) {
		if (strcmp(n->string, ".") == 0 || strcmp(n->string, "..") == 0)
			dt_compile_error(c, D_FREOPEN_INVALID, n->line, n->column,
					 "%s argument #%d cannot be \"%s\"", a->name,
					 a->number, n->string);
	} else if (n->length == 0) {
		dt_compile_error(c, D_PRINTF_FMT_EMPTY, n->line, n->column,
				 "%s format string is empty", a->name);
	}
}

static dt_node_t *check_formatarg(dt_compile_t *c, dt_actioncall_t *a, dt_node_t *n)
{
	n = dt_check_expr(c, n);
	if (n->kind != DT_N_STR)
		dt_check_badarg(c, n, D_PRINTF_ARG_FMT, a->name, a->number,
				"string constant");
	if (strlen(n->string) != n->length)
		dt_compile_error(c, D_PRINTF_ARG_FMT, n->line, n->column,
				 "%s format contains a null character", a->name);
	check_content(c, a, n);
	a->format = n;
	return n;
}

static dt_node_t *check_actionarg(dt_compile_t *c, dt_actioncall_t *a,
				  const dt_param_t *param, dt_type_t *type, dt_node_t *n)
{
	if (is_word(param, "fmt"))
		return check_formatarg(c, a, n);
	if (is_word(param, "..."))
		return check_anyarg(c, a, n);
	if (param->word[0] == '@') {
		a->naggs++;
		return check_aggarg(c, a, n);
	}
	if (is_word(param, "const"))
		return check_constarg(c, a, n);
	return check_typedarg(c, a, n, type);
}

/* Pairs arguments with parameters; the last parameter may take several. */
static void check_actionargs(dt_compile_t *c, dt_actioncall_t *a)
{
	dt_type_t **types = param_types(c, a->call, a->builtin->args);
	const char *cursor = a->builtin->args;
	dt_node_t *list = a->call->list, **tail = &a->call->list, *next;
	dt_param_t param = {.word = ""};
	int i = -1;

	for (; list != NULL; list = next) {
		next = list->next;
		a->number++;
		if (strchr(param.word, '.') == NULL && next_param(&cursor, &param))
			i++;
		/* printa's format may be left out. */
		if (is_word(&param, "fmt") && param.is_optional && list->kind != DT_N_STR &&
		    next_param(&cursor, &param))
			i++;
		*tail = check_actionarg(c, a, &param, types[i], list);
		(*tail)->next = NULL;
		tail = &(*tail)->next;
	}
}

/* ---- Formats ------------------------------------------------------------------- */

static void format_undo(dtrace_hdl_t *hdl, void *format)
{
	(void)hdl;
	dt_format_destroy(format);
}

static void *make_format(dt_compile_t *c, dt_actioncall_t *a, dt_type_t *const *types,
			 int n)
{
	const dt_node_t *text = a->format;
	const char *tag = NULL;
	char why[512] = "";
	void *format;

	format = a->naggs > 0 ? dtrace_printa_create(c->hdl, text->string)
			      : dtrace_printf_create(c->hdl, text->string);
	if (format == NULL)
		dt_compile_error(c, dt_errtag_find(c->hdl->errtag), text->line,
				 text->column, "%s",
				 dtrace_errmsg(c->hdl, dtrace_errno(c->hdl)));
	dt_compile_on_error(c, format_undo, format);
	if (dt_format_check(c->hdl, format, a->builtin->ident.name, types, n, a->naggs,
			    &tag, why, sizeof(why)) != 0)
		dt_compile_error(c, dt_errtag_find(tag), text->line, text->column, "%s",
				 why);
	return format;
}

/* Several aggregations are printed side by side, joined by key: the keys must agree. */
static void check_joined(dt_compile_t *c, const dt_actioncall_t *a, const dt_node_t *first)
{
	const dt_node_t *other;
	int i;

	for (other = first->next; other != NULL; other = other->next) {
		if (other->ident->nkeys != first->ident->nkeys)
			dt_compile_error(
			    c, D_PRINTA_AGGPROTO, other->line, other->column,
			    "%s @%s and @%s do not have the same number of keys", a->name,
			    first->string, other->string);
		for (i = 0; i < first->ident->nkeys; i++) {
			if (!dt_type_compatible(c->hdl, first->ident->keys[i],
						other->ident->keys[i]))
				dt_compile_error(
				    c, D_PRINTA_AGGKEY, other->line, other->column,
				    "%s @%s and @%s have different types of "
				    "key #%d",
				    a->name, first->string, other->string, i + 1);
		}
	}
}

static void check_format(dt_compile_t *c, dt_actioncall_t *a, dt_stmt_t *stmt)
{
	const dt_node_t *first = a->format != NULL ? a->format->next : a->call->list, *arg;
	int n = count_list(first), i = 0;
	dt_type_t **types;

	if (a->naggs > 1)
		check_joined(c, a, first);
	if (a->format == NULL)
		return;
	if (a->naggs > 0) {
		stmt->format = make_format(c, a, first->ident->keys, first->ident->nkeys);
		return;
	}
	types = dt_compile_alloc(c, (size_t)(n + 1) * sizeof(dt_type_t *));
	for (arg = first; arg != NULL; arg = arg->next)
		types[i++] = arg->type;
	stmt->format = make_format(c, a, types, n);
}

/* ---- Entries ------------------------------------------------------------------- */

/* What an action's value is when it is shown or is a key; NULL: it has none. */
static dt_type_t *action_type(const dtrace_hdl_t *hdl, uint32_t id)
{
	switch (id) {
	case DT_ACTION_STACK:
		return hdl->types.stack;
	case DT_ACTION_USTACK:
	case DT_ACTION_JSTACK:
		return hdl->types.ustack;
	case DT_ACTION_SYM:
	case DT_ACTION_MOD:
	case DT_ACTION_FUNC:
		return hdl->types.symaddr;
	case DT_ACTION_USYM:
	case DT_ACTION_UMOD:
	case DT_ACTION_UFUNC:
	case DT_ACTION_UADDR:
		return hdl->types.usymaddr;
	default:
		return NULL;
	}
}

static void check_args(dt_compile_t *c, dt_actioncall_t *a, dt_node_t *n,
		       const dt_builtin_t *builtin)
{
	uint32_t id = builtin->ident.id;
	int passed = count_list(n->list), least, most;

	a->builtin = builtin;
	a->tags = find_tags(id);
	a->call = n;
	snprintf(a->name, sizeof(a->name), "%s( )", builtin->ident.name);

	n->ident = dt_builtin_ident(c, builtin, n);
	n->type = action_type(c->hdl, id);
	if (n->type == NULL)
		n->type = c->hdl->types.void_;
	count_params(builtin->args, &least, &most);
	if (id == DT_ACTION_TRACE || id == DT_ACTION_PRINT)
		least = most = 1;
	if (passed < least || passed > most)
		dt_check_badlength(c, n,
				   id == DT_ACTION_TRACEMEM && passed > most
				       ? D_TRACEMEM_ARGS
				       : a->tags->length,
				   a->name, passed, least, most);
	check_actionargs(c, a);
	if (id == DT_ACTION_PRINTA && a->naggs == 0)
		dt_check_badlength(c, n, a->tags->length, a->name, passed, 2, INT_MAX);
}

bool dt_check_is_keycall(const dt_compile_t *c, const dt_node_t *n)
{
	const dt_builtin_t *builtin =
	    n->kind == DT_N_CALL ? dt_builtin_find(n->string) : NULL;

	return builtin != NULL && builtin->ident.kind == DT_I_ACTION &&
	       action_type(c->hdl, builtin->ident.id) != NULL;
}

dt_node_t *dt_check_keycall(dt_compile_t *c, dt_node_t *n)
{
	dt_actioncall_t a = {.number = 0};

	check_args(c, &a, n, dt_builtin_find(n->string));
	return n;
}

/* Actions of DTrace that nothing can do here: refused where they are written. */
static void check_available(dt_compile_t *c, const dt_node_t *n, const dt_builtin_t *builtin)
{
	const char *why;

	switch (builtin->ident.id) {
	case DT_ACTION_BREAKPOINT:
	case DT_ACTION_PANIC:
		why = "no program may stop this kernel";
		break;
	default:
		return;
	}
	dt_compile_error(c, D_ACT_NOTHERE, n->line, n->column,
			 "%s( ) is not available on this system: %s", n->string, why);
}

/*
 * What may stand together in a clause: what follows speculate() is recorded for later, so
 * it must be data; and commit() takes the place of the clause's own record.
 */
static void check_order(dt_compile_t *c, const dt_clause_t *clause, const dt_node_t *n,
			const dt_builtin_t *builtin)
{
	uint32_t id = builtin->ident.id;
	bool records = builtin->flags & DT_ACTION_RECORDS;
	bool recorded = clause->records || clause->naggs > 0;
	const char *what = NULL;
	dt_errtag_t tag = D_SPEC_SPEC;

	if (id == DT_ACTION_SPECULATE && clause->speculates)
		what = "speculate( ) may not follow speculate( )";
	else if (id == DT_ACTION_SPECULATE && clause->commits)
		tag = D_SPEC_COMM, what = "speculate( ) may not follow commit( )";
	else if (id == DT_ACTION_SPECULATE && recorded)
		tag = D_SPEC_DREC, what = "speculate( ) may not follow data-recording action(s)";
	else if (id == DT_ACTION_COMMIT && clause->commits)
		tag = D_COMM_COMM, what = "commit( ) may not follow commit( )";
	else if (id == DT_ACTION_COMMIT && recorded)
		tag = D_COMM_DREC, what = "commit( ) may not follow data-recording action(s)";
	else if (id == DT_ACTION_EXIT && clause->speculates)
		tag = D_EXIT_SPEC, what = "exit( ) may not follow speculate( )";
	else if ((builtin->flags & DT_ACTION_DESTRUCTIVE) && clause->speculates)
		tag = D_ACT_SPEC, what = "destructive actions may not follow speculate( )";
	else if (records && clause->commits)
		tag = D_DREC_COMM, what = "data-recording actions may not follow commit( )";
	if (what != NULL)
		dt_compile_error(c, tag, n->line, n->column, "%s", what);
}

void dt_check_agg_order(dt_compile_t *c, const dt_clause_t *clause, const dt_node_t *n)
{
	if (clause->speculates)
		dt_compile_error(c, D_AGG_SPEC, n->line, n->column,
				 "aggregating actions may not follow speculate( )");
	if (clause->commits)
		dt_compile_error(c, D_AGG_COMM, n->line, n->column,
				 "aggregating actions may not follow commit( )");
}

void dt_check_action(dt_compile_t *c, dt_clause_t *clause, dt_stmt_t *stmt,
		     const dt_builtin_t *builtin)
{
	dt_actioncall_t a = {.number = 0};

	check_order(c, clause, stmt->expr, builtin);
	check_args(c, &a, stmt->expr, builtin);
	check_available(c, stmt->expr, builtin);
	check_format(c, &a, stmt);
	stmt->kind = DT_S_ACTION;
	if (builtin->flags & DT_ACTION_RECORDS)
		clause->records = true;
	if (builtin->flags & DT_ACTION_DESTRUCTIVE)
		clause->destructive = true;
	clause->speculates |= builtin->ident.id == DT_ACTION_SPECULATE;
	clause->commits |= builtin->ident.id == DT_ACTION_COMMIT;
}
