/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jstack.bpf.c - the JavaScript functions on a user stack, as V8 leaves them there.
 *
 * JavaScript frames, interpreted or compiled, keep the usual chain of frame pointers:
 *
 *	fp + 8	return address
 *	fp	the caller's fp
 *	fp - 8	context, a pointer; frames of other kinds have a small number here
 *	fp - 16	the function
 *
 * From the function pointers lead to its SharedFunctionInfo, to its name, or to a ScopeInfo
 * that has it, and to the script. Where members are V8 tells by the symbols v8dbg_*
 * (consume/v8.c). What is found is believed only if the SharedFunctionInfo's map says that
 *it is one; the consumer in addition looks at where the frame's code is.
 *
 * For each frame, beginning with the stack's first, a string is written:
 *
 *	"" no JavaScript function, or: name \1 script \1 position
 *
 * the position, in characters from the script's beginning, being five bytes of seven bits
 * each, the lowest first, with the top bit set.
 */
#include "bpf/jstack.h"
#include "bpf/support.bpf.h"

/* Words of the function, and what its next step is to do. */
enum {
	BLOCK,
	STATE,
	FRAMES, /* that are left */
	FP,
	OUT, /* offset of the next byte */
	END, /* of the byte after the last, which stays NUL */
	SECOND,
	WORD,
	NAME,
	SCRIPT, /* its name */
	POSITION,
	TEXT,	 /* a string that is being written; 0: none */
	PENDING, /* what follows it */
	PIECES,	 /* strings it may still be made of */
	SKIP,	 /* characters of it that are passed over */
	LIMIT,	 /* and how many are taken at most */
	SOURCE,	 /* characters of two bytes, */
	COUNT,	 /* and how many are left of them */
	FRAME	 /* four words from fp - 16 on */
};

enum { AT_FRAME, AT_NAME, AT_SCRIPT };

/*
 * A frame of a function whose strings are simple takes five steps or so. All is done by the
 * steps of one loop, as the kernel counts stack by functions that call each other.
 */
#define STEPS 64
#define MAXPIECES 16   /* strings made of others */
#define CHARACTERS 255 /* of one string */
/* Context variables of a function whose names are in its ScopeInfo itself. */
#define INLINE_NAMES 75
#define VARIABLES 4096

#define SEPARATOR 1

/* Kinds of strings, and how wide their characters are, by V8's instance types. */
#define KIND_MASK 7
enum { KIND_SEQUENCE = 0, KIND_CONS = 1, KIND_SLICED = 3, KIND_THIN = 5 };
#define ONE_BYTE 8

static __always_inline u64 meta(const struct dt_scratch *s, u64 which)
{
	return word_at(s, s->work[BLOCK] + 8 * which);
}

static __always_inline u64 load(struct dt_scratch *s, u64 address)
{
	if (bpf_probe_read_user(&s->work[WORD], 8, (void *)address) != 0)
		return 0;
	return s->work[WORD];
}

static __always_inline int is_object(u64 value)
{
	return (value & 3) == 1;
}

static __always_inline u64 field(struct dt_scratch *s, u64 object, u64 which)
{
	return load(s, object - 1 + meta(s, which));
}

static __always_inline u64 type_of(struct dt_scratch *s, u64 object)
{
	u64 map;

	if (!is_object(object))
		return -1ULL;
	map = load(s, object - 1);
	return load(s, map - 1 + meta(s, DT_V8_INSTANCE_TYPE)) & 0xffff;
}

static __always_inline u64 small(u64 value)
{
	return value & 1 ? -1ULL : value >> 32;
}

/* ---- Text ------------------------------------------------------------------------ */

static __always_inline void append(struct dt_scratch *s, u8 c)
{
	u64 out = s->work[OUT];

	if (out + 1 >= s->work[END])
		return;
	put(s, out, c);
	s->work[OUT] = out + 1;
}

/* The characters of a string that has its own. */
static __always_inline void append_sequence(struct dt_scratch *s, u64 string, u64 type)
{
	u64 size = load(s, string - 1 + meta(s, DT_V8_LENGTH)) & 0xffffffff;
	u64 source = string - 1 + meta(s, DT_V8_CHARS), out = s->work[OUT], room;

	if (s->work[LIMIT] < size)
		size = s->work[LIMIT];
	if (size > CHARACTERS)
		size = CHARACTERS;
	if (!(type & ONE_BYTE)) {
		s->work[SOURCE] = source + 2 * s->work[SKIP];
		s->work[COUNT] = size;
		return;
	}
	room = s->work[END] - out - 1;
	if (size > room)
		size = room;
	/* Linux 6.1 learns nothing from the comparison of two numbers that it does not know. */
	asm volatile("" : "+r"(size));
	if (size > CHARACTERS)
		size = CHARACTERS;
	if (size == 0 || out >= dt_value(dt_scratch_bytes))
		return;
	if (bpf_probe_read_user(&s->bytes[out], (u32)size,
				(void *)(source + s->work[SKIP])) == 0)
		s->work[OUT] = out + size;
}

static __always_inline void begin_text(struct dt_scratch *s, u64 string)
{
	s->work[TEXT] = 0;
	s->work[PENDING] = string;
	s->work[PIECES] = MAXPIECES;
	s->work[COUNT] = 0;
}

/* Writes a piece of the text. False: there was nothing left of it. */
static __always_inline int write_text(struct dt_scratch *s)
{
	u64 string, type;

	if (s->work[COUNT]) {
		u64 c = load(s, s->work[SOURCE]) & 0xffff;

		append(s, c < ' ' || c > '~' ? '?' : (u8)c);
		s->work[SOURCE] += 2;
		s->work[COUNT]--;
		return 1;
	}
	if (!s->work[TEXT]) {
		s->work[TEXT] = s->work[PENDING];
		s->work[PENDING] = s->work[SKIP] = 0;
		s->work[LIMIT] = CHARACTERS;
	}
	string = s->work[TEXT];
	if (!string || !s->work[PIECES])
		return 0;
	s->work[PIECES]--;
	s->work[TEXT] = 0;
	type = type_of(s, string);
	if (type >= meta(s, DT_V8_FIRST_NONSTRING))
		return 1;
	switch (type & KIND_MASK) {
	case KIND_SEQUENCE:
		append_sequence(s, string, type);
		break;
	case KIND_THIN:
		s->work[TEXT] = field(s, string, DT_V8_THIN_ACTUAL);
		break;
	case KIND_SLICED:
		s->work[SKIP] = small(field(s, string, DT_V8_SLICED_OFFSET));
		s->work[LIMIT] = load(s, string - 1 + meta(s, DT_V8_LENGTH)) & 0xffffffff;
		s->work[TEXT] = field(s, string, DT_V8_SLICED_PARENT);
		break;
	case KIND_CONS:
		if (!s->work[PENDING])
			s->work[PENDING] = field(s, string, DT_V8_CONS_SECOND);
		s->work[TEXT] = field(s, string, DT_V8_CONS_FIRST);
		break;
	}
	return 1;
}

/* ---- Functions ------------------------------------------------------------------- */

/*
 * A ScopeInfo's name, position and inferred name have no symbols. They follow the context
 * variables, of which there are two words each:
 *
 *	name	small number	inferred name or undefined	start	end
 *
 * or, in later versions, where the first variable is further on, the positions come before.
 */
static __always_inline void read_scope(struct dt_scratch *s, u64 scope)
{
	u64 count, words, at, start, first;

	words = scope - 1 + 8;
	first = meta(s, DT_V8_FIRST_VARIABLE);
	count = small(load(s, words + 8 * meta(s, DT_V8_NVARIABLES)));
	if (count > VARIABLES)
		return;
	at = words + 8 * (first + (count < INLINE_NAMES ? 2 * count : count + 1));
	s->work[NAME] = load(s, at);
	if (is_object(s->work[NAME]) &&
	    (load(s, s->work[NAME] - 1 + meta(s, DT_V8_LENGTH)) & 0xffffffff) == 0)
		s->work[NAME] = load(s, at + 16);
	if (first > meta(s, DT_V8_NVARIABLES) + 2)
		start = load(s, words + 8 * (meta(s, DT_V8_NVARIABLES) + 1));
	else
		start = load(s, at + 24);
	s->work[POSITION] = small(start);
}

/* What there is to say of a function. False: it is none. */
static __always_inline int read_function(struct dt_scratch *s, u64 function)
{
	u64 shared = field(s, function, DT_V8_SHARED), script;

	if (type_of(s, shared) != meta(s, DT_V8_SHARED_TYPE))
		return 0;
	s->work[POSITION] = -1ULL;
	s->work[SCRIPT] = 0;
	script = field(s, shared, DT_V8_SCRIPT);
	if (type_of(s, script) == meta(s, DT_V8_SCRIPT_TYPE))
		s->work[SCRIPT] = field(s, script, DT_V8_SCRIPT_NAME);
	s->work[NAME] = field(s, shared, DT_V8_NAME);
	if (type_of(s, s->work[NAME]) == meta(s, DT_V8_SCOPE_TYPE))
		read_scope(s, s->work[NAME]);
	return 1;
}

/* ---- Frames ---------------------------------------------------------------------- */

/* The frame's string ends. 1: so does the stack, or what is kept of it. */
static __always_inline long end_frame(struct dt_scratch *s)
{
	s->work[STATE] = AT_FRAME;
	s->work[OUT]++;
	if (s->work[FRAMES] <= 1 || s->work[OUT] + 1 >= s->work[END] ||
	    s->work[FRAME + 2] <= s->work[FP])
		return 1;
	s->work[FRAMES]--;
	s->work[FP] = s->work[FRAME + 2];
	return 0;
}

static __always_inline long begin_frame(struct dt_scratch *s, int is_first)
{
	u64 fp = s->work[FP];

	if (fp == 0 || fp % 8 != 0 ||
	    bpf_probe_read_user(&s->work[FRAME], 32, (void *)(fp - 16)) != 0)
		return 1;
	/* A probe at a function's first instruction, which has no frame yet, is in a frame
	 * of its own nevertheless. */
	if (is_first && s->work[SECOND] != s->work[FRAME + 3])
		s->work[OUT]++;
	if (!is_object(s->work[FRAME]) || !is_object(s->work[FRAME + 1]) ||
	    !read_function(s, s->work[FRAME]))
		return end_frame(s);
	begin_text(s, s->work[NAME]);
	s->work[STATE] = AT_NAME;
	return 0;
}

static long step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 position;

	if (s->work[STATE] == AT_FRAME)
		return begin_frame(s, i == 0);
	if (write_text(s))
		return 0;
	append(s, SEPARATOR);
	if (s->work[STATE] == AT_NAME) {
		begin_text(s, s->work[SCRIPT]);
		s->work[STATE] = AT_SCRIPT;
		return 0;
	}
	position = s->work[POSITION];
	for (int n = 0; n < DT_V8_POSITION_BYTES; n++) {
		append(s, (u8)(position | 0x80));
		position >>= 7;
	}
	return end_frame(s);
}

/*
 * The block in scratch: words as in bpf/jstack.h, then the strings, zeroed. fp: the
 * thread's frame pointer; second: the stack's second frame.
 */
int dt_jstack(struct dt_scratch *s, u64 block, u64 fp, u64 second)
{
	if (!s)
		return 0;
	s->work[BLOCK] = block;
	s->work[STATE] = AT_FRAME;
	s->work[FRAMES] = meta(s, DT_V8_NFRAMES);
	s->work[FP] = fp;
	s->work[SECOND] = second;
	s->work[OUT] = block + 8 * DT_V8_NWORDS;
	s->work[END] = s->work[OUT] + meta(s, DT_V8_STRSIZE);
	dt_loop(s, s->work[FRAMES] * STEPS, step);
	return 0;
}
