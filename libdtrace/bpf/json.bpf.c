/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.bpf.c - json(text, path): the value at a path such as a.b[2].c in JSON text.
 *
 * One machine reads the text once, a character a round, whatever its depth: where the path
 * leads through an object or an array it is entered, everything else is skipped, for which
 * the number of brackets that are open is enough to know. States come in the order of the
 * path: find the next step of the path, enter, choose, and at its end copy. What is read on
 * the way must be JSON, but for what is inside of objects and arrays that are not entered.
 * Escapes stay as they are written, in names and values.
 */
#include "bpf/support.bpf.h"

enum {
	JS_AT,	 /* offset of the next character of the text */
	JS_PATH, /* offset of the next character of the path */
	JS_OUT,	 /* offset of the next character of the result */
	JS_STATE,
	JS_BRACES,   /* open ones inside what is skipped or copied */
	JS_BRACKETS, /* the same */
	JS_INDEX,    /* elements to skip still, when in an array */
	JS_KEY,	     /* in a member's name: the next character that the path has */
	JS_SAME,     /* it is the path's name so far */
	JS_COPY,     /* what is read is also the result */
	JS_FOUND,    /* the value is whole */
	JS_DIGITS,   /* of \uXXXX, still to come */
	JS_WORD,     /* true, false, null: its letters so far */
};

enum {
	ST_STEP,   /* at a value: what does the path ask of it? */
	ST_INDEX, /* reading an index of the path */
	ST_OPEN_OBJECT,
	ST_OPEN_ARRAY,
	ST_NAME, /* in an object: a name comes, or its end */
	ST_IN_NAME,
	ST_COLON,
	ST_ELEMENT, /* in an array: an element comes, or its end */
	ST_NEXT,    /* after a skipped value: a comma, or the end */
	ST_VALUE,   /* a value to be skipped or copied begins */
	ST_WORD,
	ST_INTEGER, /* a number before its point, after it, after its e */
	ST_FRACTION,
	ST_EXPONENT,
	ST_NESTED,     /* in an object or array */
	ST_NESTED_STR, /* in a string there */
	ST_STR,	       /* in a string */
	ST_ESC = 0x40, /* after a backslash in a string of that state */
	ST_CODE = 0x80 /* in its \uXXXX */
};

static __always_inline u32 is_blank(u8 c)
{
	return c == ' ' || (u8)(c - '\t') < 5;
}

static __always_inline u32 is_digit(u8 c)
{
	return (u8)(c - '0') < 10;
}

static __always_inline u32 is_lower(u8 c)
{
	return (u8)(c - 'a') < 26;
}

static __always_inline void js_put(struct dt_scratch *s, u8 c)
{
	u64 out = s->work[JS_OUT];

	if (!s->work[JS_COPY])
		return;
	put(s, out, c);
	s->work[JS_OUT] = out + 1;
}

/* ---- Along the path ------------------------------------------------------------- */

/* Looks at the path, not at the text. */
static __always_inline long path_step(struct dt_scratch *s)
{
	u8 c = at(s, s->work[JS_PATH]);

	if (c == 0) {
		s->work[JS_COPY] = 1;
		s->work[JS_STATE] = ST_VALUE;
	} else if (c == '[') {
		s->work[JS_PATH]++;
		s->work[JS_INDEX] = 0;
		s->work[JS_STATE] = ST_INDEX;
	} else {
		if (c == '.')
			s->work[JS_PATH]++;
		s->work[JS_STATE] = ST_OPEN_OBJECT;
	}
	return 0;
}

static __always_inline long index_step(struct dt_scratch *s)
{
	u8 c = at(s, s->work[JS_PATH]);

	s->work[JS_PATH]++;
	if (c == ']') {
		s->work[JS_STATE] = ST_OPEN_ARRAY;
		return 0;
	}
	s->work[JS_INDEX] = s->work[JS_INDEX] * 10 + (c - '0');
	return (u8)(c - '0') >= 10;
}

static __always_inline u32 ends_name(u8 c)
{
	return c == 0 || c == '.' || c == '[';
}

/* One character of a member's name against the path's. */
static __always_inline void compare_name(struct dt_scratch *s, u8 c)
{
	u8 want = at(s, s->work[JS_KEY]);

	if (ends_name(want) || want != c)
		s->work[JS_SAME] = 0;
	s->work[JS_KEY]++;
}

/* ---- Around what is not wanted -------------------------------------------------- */

/* The value is over. */
static __always_inline long value_ended(struct dt_scratch *s)
{
	if (s->work[JS_COPY]) {
		s->work[JS_FOUND] = 1;
		return 1;
	}
	s->work[JS_STATE] = ST_NEXT;
	return 0;
}

/* It was over before the character just read. */
static __always_inline long value_ended_before(struct dt_scratch *s)
{
	s->work[JS_AT]--;
	return value_ended(s);
}

static __always_inline long nested_char(struct dt_scratch *s, u8 c)
{
	js_put(s, c);
	if (c == '"') {
		s->work[JS_STATE] = ST_NESTED_STR;
		return 0;
	}
	if (c == '{')
		s->work[JS_BRACES]++;
	else if (c == '[')
		s->work[JS_BRACKETS]++;
	else if (c == '}' && s->work[JS_BRACES]-- == 0)
		return 1;
	else if (c == ']' && s->work[JS_BRACKETS]-- == 0)
		return 1;
	if (s->work[JS_BRACES] + s->work[JS_BRACKETS] == 0)
		return value_ended(s);
	return 0;
}

static __always_inline long begin_value(struct dt_scratch *s, u8 c)
{
	if (is_blank(c))
		return 0;
	if (c == '"') {
		s->work[JS_STATE] = ST_STR;
		return 0;
	}
	if (c == '{' || c == '[') {
		s->work[JS_BRACES] = s->work[JS_BRACKETS] = 0;
		s->work[JS_STATE] = ST_NESTED;
		return nested_char(s, c);
	}
	s->work[JS_STATE] = is_lower(c) ? ST_WORD : ST_INTEGER;
	s->work[JS_WORD] = c;
	js_put(s, c);
	return !is_lower(c) && !is_digit(c) && c != '-';
}

/* What a word's letters are together. */
#define WORD4(a, b, c, d) ((u64)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static __always_inline long word_char(struct dt_scratch *s, u8 c)
{
	u64 word = s->work[JS_WORD];

	if (is_lower(c)) {
		js_put(s, c);
		s->work[JS_WORD] = word << 8 | c;
		return word >> 32 != 0; /* it is too long for any */
	}
	if (word != WORD4('t', 'r', 'u', 'e') && word != WORD4('n', 'u', 'l', 'l') &&
	    word != (WORD4('f', 'a', 'l', 's') << 8 | 'e'))
		return 1;
	return value_ended_before(s);
}

static __always_inline long number_char(struct dt_scratch *s, u64 state, u8 c)
{
	u32 is_sign = c == '+' || c == '-';

	if (state != ST_EXPONENT && (is_sign || (state == ST_INTEGER && (c | 0x20) == 'x')))
		return 1;
	if (state == ST_INTEGER && c == '.')
		s->work[JS_STATE] = ST_FRACTION;
	else if (state != ST_EXPONENT && (c | 0x20) == 'e')
		s->work[JS_STATE] = ST_EXPONENT;
	else if (!is_digit(c) && !is_sign)
		return value_ended_before(s);
	js_put(s, c);
	return 0;
}

/* After a value that was skipped: on to the next name or element. */
static __always_inline long next_char(struct dt_scratch *s, u8 c)
{
	if (is_blank(c))
		return 0;
	if (c != ',')
		return 1;
	s->work[JS_STATE] = s->work[JS_KEY] ? ST_NAME : ST_ELEMENT;
	return 0;
}

/* ---- Strings -------------------------------------------------------------------- */

static __always_inline long name_ended(struct dt_scratch *s)
{
	if (!ends_name(at(s, s->work[JS_KEY])))
		s->work[JS_SAME] = 0;
	s->work[JS_STATE] = ST_COLON;
	return 0;
}

/* A character of a string goes where the string does. */
static __always_inline void string_put(struct dt_scratch *s, u64 state, u8 c)
{
	if (state == ST_IN_NAME)
		compare_name(s, c);
	else
		js_put(s, c);
}

static __always_inline long string_char(struct dt_scratch *s, u64 state, u8 c)
{
	if (c == '"' && state == ST_IN_NAME)
		return name_ended(s);
	if (c == '"' && state == ST_STR)
		return value_ended(s);
	string_put(s, state, c);
	if (c == '\\')
		s->work[JS_STATE] = state | ST_ESC;
	else if (c == '"')
		s->work[JS_STATE] = ST_NESTED;
	return 0;
}

static __always_inline long escaped_char(struct dt_scratch *s, u64 state, u8 c)
{
	string_put(s, state, c);
	s->work[JS_STATE] = c == 'u' ? state | ST_CODE : state;
	s->work[JS_DIGITS] = 4;
	return 0;
}

static __always_inline long code_digit(struct dt_scratch *s, u64 state, u8 c)
{
	string_put(s, state, c);
	if (--s->work[JS_DIGITS] == 0)
		s->work[JS_STATE] = state;
	return !is_digit(c) && (u8)((c | 0x20) - 'a') >= 6;
}

/* ---- The machine ---------------------------------------------------------------- */

static __always_inline long open_char(struct dt_scratch *s, u8 c, u64 state)
{
	if (is_blank(c))
		return 0;
	if (c != (state == ST_OPEN_OBJECT ? '{' : '['))
		return 1;
	/* JS_KEY also says which kind of bracket is around: 0 in an array. */
	s->work[JS_KEY] = state == ST_OPEN_OBJECT;
	s->work[JS_STATE] = state == ST_OPEN_OBJECT ? ST_NAME : ST_ELEMENT;
	return 0;
}

static __always_inline long name_char(struct dt_scratch *s, u8 c)
{
	if (is_blank(c))
		return 0;
	s->work[JS_STATE] = ST_IN_NAME;
	s->work[JS_KEY] = s->work[JS_PATH];
	s->work[JS_SAME] = 1;
	return c != '"';
}

static __always_inline long colon_char(struct dt_scratch *s, u8 c)
{
	if (is_blank(c))
		return 0;
	s->work[JS_STATE] = ST_VALUE;
	if (s->work[JS_SAME]) {
		s->work[JS_PATH] = s->work[JS_KEY];
		s->work[JS_STATE] = ST_STEP;
	}
	return c != ':';
}

static __always_inline long element_char(struct dt_scratch *s, u8 c)
{
	if (is_blank(c))
		return 0;
	s->work[JS_AT]--; /* c begins the element */
	if (s->work[JS_INDEX] == 0) {
		s->work[JS_STATE] = ST_STEP;
		return c == ']';
	}
	s->work[JS_INDEX]--;
	s->work[JS_STATE] = ST_VALUE;
	return 0;
}

static __always_inline long one_char(struct dt_scratch *s, u64 state, u8 c)
{
	if (state & ST_ESC)
		return escaped_char(s, state ^ ST_ESC, c);
	if (state & ST_CODE)
		return code_digit(s, state ^ ST_CODE, c);
	switch (state) {
	case ST_OPEN_OBJECT:
	case ST_OPEN_ARRAY:
		return open_char(s, c, state);
	case ST_NAME:
		return name_char(s, c);
	case ST_COLON:
		return colon_char(s, c);
	case ST_ELEMENT:
		return element_char(s, c);
	case ST_NEXT:
		return next_char(s, c);
	case ST_VALUE:
		return begin_value(s, c);
	case ST_WORD:
		return word_char(s, c);
	case ST_INTEGER:
	case ST_FRACTION:
	case ST_EXPONENT:
		return number_char(s, state, c);
	case ST_NESTED:
		return nested_char(s, c);
	case ST_IN_NAME:
	case ST_NESTED_STR:
	case ST_STR:
		return string_char(s, state, c);
	default:
		return 1;
	}
}

static long json_step(u64 i, struct dt_scratch **context)
{
	struct dt_scratch *s = *context;
	u64 state = s->work[JS_STATE];
	u8 c;

	if (state == ST_STEP)
		return path_step(s);
	if (state == ST_INDEX)
		return index_step(s);
	c = at(s, s->work[JS_AT]);
	s->work[JS_AT]++;
	if (c == 0) /* the text is cut off */
		return 1;
	return one_char(s, state, c);
}

/* An empty result: there is no such value; an empty path leads to none. */
int dt_json(struct dt_scratch *s, u64 dst, u64 text, u64 path)
{
	if (!s)
		return 0;
	s->work[JS_AT] = text;
	s->work[JS_PATH] = path;
	s->work[JS_OUT] = dst;
	s->work[JS_STATE] = ST_STEP;
	s->work[JS_COPY] = s->work[JS_FOUND] = 0;
	s->work[JS_KEY] = s->work[JS_INDEX] = 0;
	/* A character is read twice at most, and there is the path. */
	if (at(s, path))
		dt_loop(s, ROUNDS * 4, json_step);
	put(s, s->work[JS_FOUND] ? s->work[JS_OUT] : dst, 0);
	return 0;
}
