/* SPDX-License-Identifier: Apache-2.0 */
/*
 * btf.c - the running kernel's types, read straight from /sys/kernel/btf/vmlinux.
 *
 * The file is 5 MB of some 130,000 records of varying length, of which a program needs a
 * handful. So nothing is parsed ahead: the file is mapped (kernels before 6.16 cannot, and
 * it is read instead, which costs ten times as much), a name is looked for among the
 * strings, where each stands once, and then by its offset in one pass over the records
 * that ends at the first hit. The pass leaves behind the place of every INDEX_STEPth
 * record, so that a reference by number costs a walk over a few records and the index
 * 32 KB. Measured: 0.2 to 3 ms for a first name, against 36 ms and 12 MB for libbpf's
 * reader, which indexes everything.
 *
 * A record becomes a dt_type_t when something refers to it, a structure's members when
 * somebody asks for them (dt_type_resolve()).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "readall.h"
#include "types/typetab.h"

#define BTF_FILE "/sys/kernel/btf/vmlinux"
#define INDEX_STEP 16
/* Of a function that a program can be attached to: the kernel's MAX_BPF_FUNC_ARGS. */
#define FUNCTION_ARGS_MAX 12

typedef struct dt_btf {
	char *data; /* the whole file */
	size_t size;
	bool is_mapped;
	const char *types, *types_end;
	const char *strings;
	size_t strings_length;

	/* How far passes have come: records known, and the place of the next. */
	uint32_t nrecords;
	const char *frontier;
	uint32_t *index; /* offset of records 1, 1 + INDEX_STEP, ... */
	uint32_t index_room;

	/* Types made, hashed by BTF number; a power of two of slots. */
	struct dt_btfslot {
		uint32_t id;
		dt_type_t *type;
	} * made;
	uint32_t nmade, made_room;
} dt_btf_t;

/* ---- Records ----------------------------------------------------------- */

/* Bytes of a record after struct btf_type: fixed, and for each of vlen. */
static const struct {
	uint8_t known, fixed, each;
} record_layout[] = {
    [BTF_KIND_INT] = {1, sizeof(uint32_t), 0},
    [BTF_KIND_PTR] = {1, 0, 0},
    [BTF_KIND_ARRAY] = {1, sizeof(struct btf_array), 0},
    [BTF_KIND_STRUCT] = {1, 0, sizeof(struct btf_member)},
    [BTF_KIND_UNION] = {1, 0, sizeof(struct btf_member)},
    [BTF_KIND_ENUM] = {1, 0, sizeof(struct btf_enum)},
    [BTF_KIND_FWD] = {1, 0, 0},
    [BTF_KIND_TYPEDEF] = {1, 0, 0},
    [BTF_KIND_VOLATILE] = {1, 0, 0},
    [BTF_KIND_CONST] = {1, 0, 0},
    [BTF_KIND_RESTRICT] = {1, 0, 0},
    [BTF_KIND_FUNC] = {1, 0, 0},
    [BTF_KIND_FUNC_PROTO] = {1, 0, sizeof(struct btf_param)},
    [BTF_KIND_VAR] = {1, sizeof(struct btf_var), 0},
    [BTF_KIND_DATASEC] = {1, 0, sizeof(struct btf_var_secinfo)},
    [BTF_KIND_FLOAT] = {1, 0, 0},
    [BTF_KIND_DECL_TAG] = {1, sizeof(struct btf_decl_tag), 0},
    [BTF_KIND_TYPE_TAG] = {1, 0, 0},
    [BTF_KIND_ENUM64] = {1, 0, sizeof(struct btf_enum64)},
};

#define NKINDS (sizeof(record_layout) / sizeof(record_layout[0]))

/* The record after this one; NULL at the end, or where the file makes no sense to us. */
static const char *record_next(const dt_btf_t *btf, const char *at)
{
	const struct btf_type *record = (const void *)at;
	size_t room = (size_t)(btf->types_end - at), length = sizeof(*record);
	uint32_t kind;

	kind = BTF_INFO_KIND(record->info);
	if (kind >= NKINDS || !record_layout[kind].known)
		return NULL;
	length += record_layout[kind].fixed +
		  (size_t)record_layout[kind].each * BTF_INFO_VLEN(record->info);
	if (length + sizeof(*record) > room)
		return NULL;
	return at + length;
}

/* Notes that record number nrecords + 1 stands at the frontier. False: out of memory. */
static bool frontier_note(dt_btf_t *btf)
{
	uint32_t slot = btf->nrecords / INDEX_STEP;

	if (btf->nrecords % INDEX_STEP != 0)
		return true;
	if (slot == btf->index_room) {
		uint32_t room = btf->index_room == 0 ? 1024 : btf->index_room * 2;
		uint32_t *index = realloc(btf->index, room * sizeof(*index));

		if (index == NULL)
			return false;
		btf->index = index;
		btf->index_room = room;
	}
	btf->index[slot] = (uint32_t)(btf->frontier - btf->types);
	return true;
}

/* Takes one record more into the index. Returns it; NULL when there is none. */
static const struct btf_type *frontier_advance(dt_btf_t *btf)
{
	const char *at = btf->frontier;

	if (at == NULL || !frontier_note(btf))
		return NULL;
	btf->nrecords++;
	btf->frontier = record_next(btf, at);
	return (const void *)at;
}

static const struct btf_type *record_by_id(dt_btf_t *btf, uint32_t id)
{
	const char *at;

	if (id == 0)
		return NULL;
	while (btf->nrecords < id) {
		if (frontier_advance(btf) == NULL)
			return NULL;
	}
	at = btf->types + btf->index[(id - 1) / INDEX_STEP];
	for (uint32_t i = (id - 1) % INDEX_STEP; i > 0; i--)
		at = record_next(btf, at);
	return (const void *)at;
}

/* A name of the string section; NULL for none. */
static const char *string_at(const dt_btf_t *btf, uint32_t offset)
{
	if (offset == 0 || offset >= btf->strings_length || btf->strings[offset] == '\0')
		return NULL;
	return btf->strings + offset;
}

/* The offset of a string, 0 when no type, member or variable has that name. */
static uint32_t string_find(const dt_btf_t *btf, const char *name)
{
	size_t length = strlen(name);
	char pattern[256];
	const char *found;

	if (length == 0 || length + 2 > sizeof(pattern))
		return 0;
	/* Strings follow each other, each ended by a NUL, the first of them empty. */
	pattern[0] = '\0';
	memcpy(pattern + 1, name, length + 1);
	found = memmem(btf->strings, btf->strings_length, pattern, length + 2);
	return found == NULL ? 0 : (uint32_t)(found - btf->strings) + 1;
}

static uint32_t tag_kinds(dt_kind_t tag)
{
	switch (tag) {
	case DT_K_STRUCT:
		return 1u << BTF_KIND_STRUCT;
	case DT_K_UNION:
		return 1u << BTF_KIND_UNION;
	case DT_K_ENUM:
		return 1u << BTF_KIND_ENUM | 1u << BTF_KIND_ENUM64;
	case DT_K_TYPEDEF:
		return 1u << BTF_KIND_TYPEDEF | 1u << BTF_KIND_INT;
	default:
		return 1u << BTF_KIND_VAR | 1u << BTF_KIND_FUNC;
	}
}

/* The number of the first record of those kinds and that name; 0: none. */
static uint32_t record_find(dt_btf_t *btf, uint32_t kinds, uint32_t name_off)
{
	const char *at = btf->types;
	const struct btf_type *record;
	uint32_t id = 0;

	while (id < btf->nrecords) {
		record = (const void *)at;
		id++;
		if (record->name_off == name_off &&
		    kinds & 1u << BTF_INFO_KIND(record->info))
			return id;
		at = record_next(btf, at);
	}
	while ((record = frontier_advance(btf)) != NULL) {
		id++;
		if (record->name_off == name_off &&
		    kinds & 1u << BTF_INFO_KIND(record->info))
			return id;
	}
	return 0;
}

/* ---- The file ---------------------------------------------------------- */

static int file_load(dt_btf_t *btf)
{
	int fd = open(BTF_FILE, O_RDONLY | O_CLOEXEC);
	struct stat status;
	int error = 0;

	if (fd < 0)
		return errno;
	if (fstat(fd, &status) != 0) {
		error = errno;
	} else {
		btf->size = (size_t)status.st_size;
		btf->data = mmap(NULL, btf->size, PROT_READ, MAP_PRIVATE, fd, 0);
		btf->is_mapped = btf->data != MAP_FAILED;
		if (!btf->is_mapped)
			btf->data = dt_read_all(fd, SIZE_MAX, &btf->size);
		if (btf->data == NULL)
			error = errno;
	}
	close(fd);
	return error;
}

/* Finds the sections. False when they do not lie within the file. */
static bool header_read(dt_btf_t *btf)
{
	const struct btf_header *header = (const void *)btf->data;
	size_t rest;

	if (btf->size < sizeof(*header) || header->magic != BTF_MAGIC ||
	    header->hdr_len > btf->size)
		return false;
	rest = btf->size - header->hdr_len;
	if (header->type_off > rest || header->type_len > rest - header->type_off ||
	    header->str_off > rest || header->str_len > rest - header->str_off ||
	    header->type_len < sizeof(struct btf_type) || header->type_off % 4 != 0)
		return false;
	btf->types = btf->data + header->hdr_len + header->type_off;
	btf->types_end = btf->types + header->type_len;
	btf->frontier = btf->types;
	btf->strings = btf->data + header->hdr_len + header->str_off;
	btf->strings_length = header->str_len;
	return header->str_len > 0 && btf->strings[header->str_len - 1] == '\0';
}

void dt_btf_destroy(dt_btf_t *btf)
{
	if (btf == NULL)
		return;
	if (btf->is_mapped)
		munmap(btf->data, btf->size);
	else
		free(btf->data);
	free(btf->index);
	free(btf->made);
	free(btf);
}

/* The handle's BTF, opened when first asked for. NULL with the handle's error set. */
static dt_btf_t *btf_open(dtrace_hdl_t *hdl)
{
	dt_btf_t *btf = hdl->typetab->btf;
	int error;

	if (btf != NULL)
		return btf;
	if (hdl->oflags & DTRACE_O_NOSYS) {
		dt_set_error(hdl, EDT_NOBTF, "kernel types are not read with this handle");
		return NULL;
	}
	btf = calloc(1, sizeof(*btf));
	if (btf == NULL) {
		dt_set_errno(hdl, EDT_NOMEM);
		return NULL;
	}
	error = file_load(btf);
	if (error == 0 && header_read(btf)) {
		hdl->typetab->btf = btf;
		return btf;
	}
	dt_set_error(hdl, error == ENOMEM ? EDT_NOMEM : EDT_NOBTF,
		     "the kernel gives no BTF type information: %s: %s", BTF_FILE,
		     error != 0 ? strerror(error) : "unknown format");
	dt_btf_destroy(btf);
	return NULL;
}

/* ---- Types already made ------------------------------------------------ */

static struct dt_btfslot *made_slot(const dt_btf_t *btf, uint32_t id)
{
	uint32_t at = id * 2654435761u & (btf->made_room - 1);

	while (btf->made[at].id != 0 && btf->made[at].id != id)
		at = (at + 1) & (btf->made_room - 1);
	return &btf->made[at];
}

static dt_type_t *made_find(const dt_btf_t *btf, uint32_t id)
{
	return btf->made_room == 0 ? NULL : made_slot(btf, id)->type;
}

/* Out of memory only costs that the type may be made twice. */
static void made_add(dt_btf_t *btf, uint32_t id, dt_type_t *type)
{
	if (btf->nmade * 2 >= btf->made_room) {
		struct dt_btfslot *old = btf->made;
		uint32_t old_room = btf->made_room;
		uint32_t room = old_room == 0 ? 256 : old_room * 2;
		struct dt_btfslot *made = calloc(room, sizeof(*made));

		if (made == NULL)
			return;
		btf->made = made;
		btf->made_room = room;
		for (uint32_t i = 0; i < old_room; i++) {
			if (old[i].id != 0)
				*made_slot(btf, old[i].id) = old[i];
		}
		free(old);
	}
	*made_slot(btf, id) = (struct dt_btfslot){.id = id, .type = type};
	btf->nmade++;
}

/* ---- From records to types --------------------------------------------- */

static dt_type_t *type_make(dtrace_hdl_t *hdl, dt_btf_t *btf, uint32_t id);

static dt_type_t *int_make(dtrace_hdl_t *hdl, const char *name,
			   const struct btf_type *record)
{
	uint32_t encoding = *(const uint32_t *)(record + 1);
	dt_type_t *type = name == NULL ? NULL : dt_types_int_known(hdl, name);

	if (type != NULL && type->size == record->size)
		return type;
	type = dt_type_new(hdl, DT_K_INT);
	if (type == NULL)
		return NULL;
	type->name = name;
	type->size = type->align = record->size;
	type->is_signed = BTF_INT_ENCODING(encoding) & BTF_INT_SIGNED;
	type->is_char = BTF_INT_ENCODING(encoding) & BTF_INT_CHAR;
	type->is_bool = BTF_INT_ENCODING(encoding) & BTF_INT_BOOL;
	type->complete = true;
	return type;
}

static dt_type_t *float_make(dtrace_hdl_t *hdl, const struct btf_type *record)
{
	return record->size == 4   ? hdl->types.float_
	       : record->size == 8 ? hdl->types.double_
				   : hdl->types.longdouble;
}

/* Struct, union or enum: all but its members. */
static dt_type_t *aggregate_make(dtrace_hdl_t *hdl, dt_kind_t kind, uint32_t id,
				 const char *name, const struct btf_type *record)
{
	dt_type_t *type = dt_type_new(hdl, kind);

	if (type == NULL)
		return NULL;
	type->name = name;
	type->size = record->size;
	type->align = record->size >= 8 ? 8 : record->size > 0 ? record->size : 1;
	type->btf_id = id;
	if (kind == DT_K_ENUM)
		type->is_signed = BTF_INFO_KFLAG(record->info);
	return type;
}

static dt_type_t *forward_make(dtrace_hdl_t *hdl, const char *name)
{
	dt_type_t *type = dt_type_new(hdl, DT_K_FORWARD);

	if (type != NULL) {
		type->name = name;
		type->align = 1;
		type->complete = true;
	}
	return type;
}

static dt_type_t *func_make(dtrace_hdl_t *hdl, dt_btf_t *btf, const struct btf_type *record)
{
	const struct btf_param *params = (const void *)(record + 1);
	uint32_t count = BTF_INFO_VLEN(record->info);
	dt_type_t *type = dt_type_new(hdl, DT_K_FUNC);

	if (type == NULL || (type->ref = type_make(hdl, btf, record->type)) == NULL)
		return NULL;
	type->align = 1;
	type->complete = true;
	/* A last parameter of no type stands for "...". */
	if (count > 0 && params[count - 1].type == 0) {
		type->varargs = true;
		count--;
	}
	if (count == 0)
		return type;
	type->params = dt_types_alloc(hdl, count * sizeof(*type->params));
	if (type->params == NULL)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		type->params[i] = type_make(hdl, btf, params[i].type);
		if (type->params[i] == NULL)
			return NULL;
	}
	type->count = count;
	return type;
}

static dt_type_t *pointer_make(dtrace_hdl_t *hdl, dt_btf_t *btf, uint32_t target)
{
	const struct btf_type *record = record_by_id(btf, target);
	dt_type_t *type;

	/* char __user *: the tag stands on the target, D's qualifier on the pointer. */
	if (record != NULL && BTF_INFO_KIND(record->info) == BTF_KIND_TYPE_TAG) {
		const char *tag = string_at(btf, record->name_off);

		type = type_make(hdl, btf, record->type);
		if (type != NULL)
			type = dt_type_pointer(hdl, type);
		if (type != NULL && tag != NULL && strcmp(tag, "user") == 0)
			type = dt_type_qualified(hdl, type, DT_TQ_USERLAND);
		return type;
	}
	type = type_make(hdl, btf, target);
	return type == NULL ? NULL : dt_type_pointer(hdl, type);
}

static dt_type_t *typedef_make(dtrace_hdl_t *hdl, dt_btf_t *btf, const char *name,
			       uint32_t target)
{
	dt_type_t *ref = type_make(hdl, btf, target);
	dt_type_t *type;

	if (ref == NULL)
		return NULL;
	type = name == NULL ? NULL : dt_types_fixed_like(hdl, name, ref);
	if (type != NULL)
		return type;
	type = dt_type_new(hdl, DT_K_TYPEDEF);
	if (type == NULL)
		return NULL;
	type->name = name;
	type->ref = ref;
	type->size = ref->size;
	type->align = ref->align;
	type->complete = true;
	return type;
}

static dt_type_t *qualified_make(dtrace_hdl_t *hdl, dt_btf_t *btf, uint32_t target,
				 uint8_t qualifiers)
{
	dt_type_t *type = type_make(hdl, btf, target);

	return type == NULL || qualifiers == 0 ? type
					       : dt_type_qualified(hdl, type, qualifiers);
}

static dt_type_t *record_convert(dtrace_hdl_t *hdl, dt_btf_t *btf, uint32_t id,
				 const struct btf_type *record)
{
	const char *name = string_at(btf, record->name_off);
	const struct btf_array *array;
	dt_type_t *element;

	switch (BTF_INFO_KIND(record->info)) {
	case BTF_KIND_INT:
		return int_make(hdl, name, record);
	case BTF_KIND_FLOAT:
		return float_make(hdl, record);
	case BTF_KIND_PTR:
		return pointer_make(hdl, btf, record->type);
	case BTF_KIND_ARRAY:
		array = (const void *)(record + 1);
		element = type_make(hdl, btf, array->type);
		return element == NULL ? NULL : dt_type_array(hdl, element, array->nelems);
	case BTF_KIND_STRUCT:
		return aggregate_make(hdl, DT_K_STRUCT, id, name, record);
	case BTF_KIND_UNION:
		return aggregate_make(hdl, DT_K_UNION, id, name, record);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return aggregate_make(hdl, DT_K_ENUM, id, name, record);
	case BTF_KIND_FWD:
		return forward_make(hdl, name);
	case BTF_KIND_TYPEDEF:
		return typedef_make(hdl, btf, name, record->type);
	case BTF_KIND_CONST:
		return qualified_make(hdl, btf, record->type, DT_TQ_CONST);
	case BTF_KIND_VOLATILE:
		return qualified_make(hdl, btf, record->type, DT_TQ_VOLATILE);
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
		return qualified_make(hdl, btf, record->type, 0);
	case BTF_KIND_FUNC_PROTO:
		return func_make(hdl, btf, record);
	default:
		return NULL;
	}
}

/*
 * The type of a record's number; 0 is void. Cycles always pass through a structure, and a
 * structure is made without its members, so this ends.
 */
static dt_type_t *type_make(dtrace_hdl_t *hdl, dt_btf_t *btf, uint32_t id)
{
	const struct btf_type *record;
	dt_type_t *type;

	if (id == 0)
		return hdl->types.void_;
	type = made_find(btf, id);
	if (type != NULL)
		return type;
	record = record_by_id(btf, id);
	if (record == NULL) {
		dt_set_error(hdl, EDT_NOTYPE, "the kernel's BTF has no type %u", id);
		return NULL;
	}
	type = record_convert(hdl, btf, id, record);
	if (type == NULL)
		dt_set_error(hdl, EDT_NOTYPE, "the kernel's BTF type %u is not usable", id);
	else
		made_add(btf, id, type);
	return type;
}

dt_type_t *dt_btf_lookup(dtrace_hdl_t *hdl, dt_kind_t tag, const char *name)
{
	dt_btf_t *btf = btf_open(hdl);
	uint32_t name_off, id;

	if (btf == NULL)
		return NULL;
	name_off = string_find(btf, name);
	id = name_off == 0 ? 0 : record_find(btf, tag_kinds(tag), name_off);
	if (id == 0) {
		dt_set_errno(hdl, EDT_NOTYPE);
		return NULL;
	}
	return type_make(hdl, btf, id);
}

dt_type_t *dt_btf_type(dtrace_hdl_t *hdl, uint32_t id)
{
	dt_btf_t *btf = btf_open(hdl);

	return btf == NULL ? NULL : type_make(hdl, btf, id);
}

/* Whether a value of the type goes through a register. */
static bool is_word(dt_btf_t *btf, uint32_t id)
{
	const struct btf_type *record;

	while ((record = record_by_id(btf, id)) != NULL) {
		switch (BTF_INFO_KIND(record->info)) {
		case BTF_KIND_INT:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
			return record->size <= sizeof(uint64_t);
		case BTF_KIND_PTR:
			return true;
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			id = record->type;
			break;
		default:
			return false;
		}
	}
	return false;
}

static bool is_attachable(dt_btf_t *btf, const struct btf_type *function)
{
	const struct btf_type *proto = record_by_id(btf, function->type);
	const struct btf_param *params = (const void *)(proto + 1);
	uint32_t n;

	if (proto == NULL || BTF_INFO_KIND(proto->info) != BTF_KIND_FUNC_PROTO)
		return false;
	n = BTF_INFO_VLEN(proto->info);
	if (n > FUNCTION_ARGS_MAX || (proto->type != 0 && !is_word(btf, proto->type)))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (!is_word(btf, params[i].type))
			return false;
	}
	return true;
}

/* What has a name, that begins so, of one kind; of functions those that can be attached to. */
static int each_named(dtrace_hdl_t *hdl, uint32_t kind, const char *prefix, dt_btf_name_f *f,
		      void *arg)
{
	dt_btf_t *btf = btf_open(hdl);
	size_t length = strlen(prefix);
	uint32_t id = 1;
	int rv = 0;

	if (btf == NULL)
		return -1;
	for (const char *at = btf->types; at != NULL && rv == 0;
	     at = record_next(btf, at), id++) {
		const struct btf_type *record = (const void *)at;
		const char *name;

		if (BTF_INFO_KIND(record->info) != kind)
			continue;
		name = string_at(btf, record->name_off);
		if (name != NULL && strncmp(name, prefix, length) == 0 &&
		    (kind != BTF_KIND_FUNC || is_attachable(btf, record)))
			rv = f(hdl, name + length, id, arg);
	}
	return rv;
}

int dt_btf_typedefs(dtrace_hdl_t *hdl, const char *prefix, dt_btf_name_f *f, void *arg)
{
	return each_named(hdl, BTF_KIND_TYPEDEF, prefix, f, arg);
}

int dt_btf_functions(dtrace_hdl_t *hdl, dt_btf_name_f *f, void *arg)
{
	return each_named(hdl, BTF_KIND_FUNC, "", f, arg);
}

uint32_t dt_btf_function_id(dtrace_hdl_t *hdl, const char *name)
{
	dt_btf_t *btf = btf_open(hdl);
	uint32_t name_off = btf == NULL ? 0 : string_find(btf, name),
		 id = name_off == 0 ? 0 : record_find(btf, 1u << BTF_KIND_FUNC, name_off);

	return id != 0 && is_attachable(btf, record_by_id(btf, id)) ? id : 0;
}

/* ---- Per-CPU variables --------------------------------------------------- */

bool dt_btf_is_percpu(dtrace_hdl_t *hdl, const char *variable)
{
	dt_btf_t *btf = btf_open(hdl);
	const struct btf_var_secinfo *info;
	const struct btf_type *record;
	uint32_t name_off, var, section;

	if (btf == NULL)
		return false;
	name_off = string_find(btf, variable);
	var = name_off == 0 ? 0 : record_find(btf, 1u << BTF_KIND_VAR, name_off);
	name_off = string_find(btf, ".data..percpu");
	section = name_off == 0 ? 0 : record_find(btf, 1u << BTF_KIND_DATASEC, name_off);
	record = record_by_id(btf, section);
	if (var == 0 || record == NULL)
		return false;
	info = (const void *)(record + 1);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(record->info); i++) {
		if (info[i].type == var)
			return true;
	}
	return false;
}

/* ---- Enumerators --------------------------------------------------------- */

/* Whether an enum's record has an enumerator of that name. */
static bool has_enumerator(const struct btf_type *record, uint32_t name_off)
{
	uint32_t kind = BTF_INFO_KIND(record->info), count = BTF_INFO_VLEN(record->info);
	const struct btf_enum *narrow = (const void *)(record + 1);
	const struct btf_enum64 *wide = (const void *)(record + 1);

	if (kind != BTF_KIND_ENUM && kind != BTF_KIND_ENUM64)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if ((kind == BTF_KIND_ENUM ? narrow[i].name_off : wide[i].name_off) ==
		    name_off)
			return true;
	}
	return false;
}

dt_type_t *dt_btf_enum_of(dtrace_hdl_t *hdl, const char *enumerator)
{
	dt_btf_t *btf = btf_open(hdl);
	uint32_t name_off = btf == NULL ? 0 : string_find(btf, enumerator), id = 0;
	const char *at;

	if (name_off == 0)
		return NULL;
	for (at = btf->types; at != NULL; at = record_next(btf, at)) {
		id++;
		if (has_enumerator((const void *)at, name_off))
			return type_make(hdl, btf, id);
	}
	return NULL;
}

/* ---- Members ----------------------------------------------------------- */

static void members_read(dtrace_hdl_t *hdl, dt_btf_t *btf, dt_type_t *type,
			 const struct btf_type *record)
{
	const struct btf_member *from = (const void *)(record + 1);
	uint32_t count = BTF_INFO_VLEN(record->info);
	bool has_bitfields = BTF_INFO_KFLAG(record->info);
	dt_member_t *members = dt_types_alloc(hdl, (count + 1) * sizeof(*members));
	uint32_t align = 1;

	if (members == NULL)
		return;
	for (uint32_t i = 0; i < count; i++) {
		dt_member_t *member = &members[i];

		member->name = string_at(btf, from[i].name_off);
		member->type = type_make(hdl, btf, from[i].type);
		if (member->type == NULL)
			return;
		member->bit_offset = from[i].offset;
		if (has_bitfields) {
			member->bit_offset = BTF_MEMBER_BIT_OFFSET(from[i].offset);
			member->bit_size = BTF_MEMBER_BITFIELD_SIZE(from[i].offset);
		}
		if (member->type->align > align && member->bit_size == 0)
			align = member->type->align;
	}
	type->members = members;
	type->count = count;
	type->align = align;
}

static void enumerators_read(dtrace_hdl_t *hdl, dt_btf_t *btf, dt_type_t *type,
			     const struct btf_type *record)
{
	const struct btf_enum *narrow = (const void *)(record + 1);
	const struct btf_enum64 *wide = (const void *)(record + 1);
	bool is_wide = BTF_INFO_KIND(record->info) == BTF_KIND_ENUM64;
	uint32_t count = BTF_INFO_VLEN(record->info);
	dt_enumerator_t *enumerators =
	    dt_types_alloc(hdl, (count + 1) * sizeof(*enumerators));

	if (enumerators == NULL)
		return;
	for (uint32_t i = 0; i < count; i++) {
		const char *name =
		    string_at(btf, is_wide ? wide[i].name_off : narrow[i].name_off);

		enumerators[i].name = name != NULL ? name : "";
		if (is_wide)
			enumerators[i].value =
			    (int64_t)((uint64_t)wide[i].val_hi32 << 32 | wide[i].val_lo32);
		else if (type->is_signed)
			enumerators[i].value = narrow[i].val;
		else
			enumerators[i].value = (uint32_t)narrow[i].val;
	}
	type->enumerators = enumerators;
	type->count = count;
	dt_types_add_enumerators(hdl, type);
}

void dt_btf_complete(dtrace_hdl_t *hdl, dt_type_t *type)
{
	dt_btf_t *btf = hdl->typetab->btf;
	const struct btf_type *record = record_by_id(btf, type->btf_id);

	if (record == NULL)
		return;
	type->complete = true;
	if (type->kind == DT_K_ENUM)
		enumerators_read(hdl, btf, type, record);
	else
		members_read(hdl, btf, type, record);
}
