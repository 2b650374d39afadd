/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.bpf.c - json(text, path): the value at a path such as a.b[2].c in JSON text.
 *
 * One machine reads the text once, a character a round, whatever its depth: where the path
 * leads through an object or an array it is entered, everything else is skipped, for which
 * the number of brackets that are open is enough to know. States come in the order of the
 * path: find the next step of the path, enter, choose, and at its end copy.
 */
#include "bpf/support.bpf.h"

enum {
	JS_AT,	 /* offset of the next character of the text */
	JS_PATH, /* offset of the next character of the path */
	JS_OUT,	 /* offset of the next character of the result */
	JS_STATE,
	JS_DEPTH,  /* open brackets inside what is skipped or copied */
	JS_INDEX,  /* elements to skip still, when in an array */
	JS_KEY,	   /* in a member's name: the next character that the path has */
	JS_SAME,   /* it is the path's name so far */
	JS_COPY,   /* what is read is also the result */
	JS_FOUND,  /* the value is whole */
	JS_CODE,   /* \uXXXX: value so far */
	JS_DIGITS, /* still to come */
	JS_HIGH,   /* first half of a pair of them */
};

enum {
	ST_STEP,   /* at a value: what does the path ask of it? */
	ST_NUMBER, /* reading an index of the path */
	ST_OPEN_OBJECT,
	ST_OPEN_ARRAY,
	ST_NAME, /* in an object: a name comes, or its end */
	ST_IN_NAME,
	ST_NAME_ESC, /* after a backslash in a name */
	ST_COLON,
	ST_ELEMENT,    /* in an array: an element comes, or its end */
	ST_NEXT,       /* after a skipped value: a comma, or the end */
	ST_VALUE,      /* a value to be skipped or copied begins */
	ST_PLAIN,      /* in a number, true, false or null */
	ST_NESTED,     /* in an object or array */
	ST_NESTED_STR, /* in a string there */
	ST_NESTED_ESC,
	ST_STR, /* in a string */
	ST_STR_ESC,
	ST_STR_CODE,
};

static __always_inline u32 is_blank(u8 c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static __always_inline void js_put(struct dt_scratch *s, u8 c)
{
	u64 out = s->work[JS_OUT];

	if (!s->work[JS_COPY])
		return;
	put(s, out, c);
	s->work[JS_OUT] = out + 1;
}

/* UTF-8; a lone half of a pair is shown as the replacement character. */
static __always_inline void js_put_code(struct dt_scratch *s, u64 code)
{
	if (code - 0xd800 < 0x800)
		code = 0xfffd;
	if (code < 0x80) {
		js_put(s, (u8)code);
	} else if (code < 0x800) {
		js_put(s, (u8)(0xc0 | code >> 6));
		js_put(s, (u8)(0x80 | (code & 63)));
	} else if (code < 0x10000) {
		js_put(s, (u8)(0xe0 | code >> 12));
		js_put(s, (u8)(0x80 | (code >> 6 & 63)));
		js_put(s, (u8)(0x80 | (code & 63)));
	} else {
		js_put(s, (u8)(0xf0 | code >> 18));
		js_put(s, (u8)(0x80 | (code >> 12 & 63)));
		js_put(s, (u8)(0x80 | (code >> 6 & 63)));
		js_put(s, (u8)(0x80 | (code & 63)));
	}
}

static __always_inline u8 unescaped(u8 c)
{
	switch (c) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return c;
	}
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
		s->work[JS_STATE] = ST_NUMBER;
	} else {
		if (c == '.')
			s->work[JS_PATH]++;
		s->work[JS_STATE] = ST_OPEN_OBJECT;
	}
	return 0;
}

static __always_inline long number_step(struct dt_scratch *s)
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

/* The value ends before c: c closes the array or object around it, or is a comma. */
static __always_inline long value_ended(struct dt_scratch *s)
{
	if (s->work[JS_COPY]) {
		s->work[JS_FOUND] = 1;
		return 1;
	}
	s->work[JS_STATE] = ST_NEXT;
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
	if (c == 0 || c == ',' || c == ':' || c == ']' || c == '}')
		return 1;
	js_put(s, c);
	s->work[JS_DEPTH] = 1;
	s->work[JS_STATE] = c == '{' || c == '[' ? ST_NESTED : ST_PLAIN;
	return 0;
}

static __always_inline long nested_char(struct dt_scratch *s, u8 c)
{
	js_put(s, c);
	if (c == '"') {
		s->work[JS_STATE] = ST_NESTED_STR;
	} else if (c == '{' || c == '[') {
		s->work[JS_DEPTH]++;
	} else if (c == '}' || c == ']') {
		s->work[JS_DEPTH]--;
		if (s->work[JS_DEPTH] == 0)
			return value_ended(s);
	}
	return 0;
}

static __always_inline long plain_char(struct dt_scratch *s, u8 c)
{
	if (c == ',' || c == ']' || c == '}' || is_blank(c) || c == 0) {
		if (c)
			s->work[JS_AT]--; /* seen again, after the value */
		return value_ended(s);
	}
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

static __always_inline long code_digit(struct dt_scratch *s, u8 c)
{
	u8 letter = (c | 0x20) - 'a';
	u64 code, high = s->work[JS_HIGH];

	if ((u8)(c - '0') >= 10 && letter >= 6)
		return 1;
	code = s->work[JS_CODE] << 4 | ((u8)(c - '0') < 10 ? c - '0' : letter + 10);
	s->work[JS_CODE] = code;
	if (--s->work[JS_DIGITS])
		return 0;
	s->work[JS_STATE] = ST_STR;
	s->work[JS_HIGH] = 0;
	if (high && code - 0xdc00 < 0x400) {
		/* The first half was shown as a character of three bytes: write over it. */
		if (s->work[JS_COPY])
			s->work[JS_OUT] -= 3;
		js_put_code(s, 0x10000 + ((high & 0x3ff) << 10 | (code & 0x3ff)));
		return 0;
	}
	if (code - 0xd800 < 0x400)
		s->work[JS_HIGH] = code;
	js_put_code(s, code);
	return 0;
}

static __always_inline long string_char(struct dt_scratch *s, u8 c)
{
	if (c == '\\') {
		s->work[JS_STATE] = ST_STR_ESC;
		return 0;
	}
	s->work[JS_HIGH] = 0;
	if (c == '"')
		return value_ended(s);
	js_put(s, c);
	return 0;
}

static __always_inline long escaped_char(struct dt_scratch *s, u8 c)
{
	if (c == 'u') {
		s->work[JS_CODE] = 0;
		s->work[JS_DIGITS] = 4;
		s->work[JS_STATE] = ST_STR_CODE;
		return 0;
	}
	s->work[JS_HIGH] = 0;
	s->work[JS_STATE] = ST_STR;
	js_put(s, unescaped(c));
	return 0;
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

static __always_inline long in_name_char(struct dt_scratch *s, u8 c)
{
	if (c == '\\') {
		s->work[JS_STATE] = ST_NAME_ESC;
		return 0;
	}
	if (c != '"') {
		compare_name(s, c);
		return 0;
	}
	if (!ends_name(at(s, s->work[JS_KEY])))
		s->work[JS_SAME] = 0;
	s->work[JS_STATE] = ST_COLON;
	return 0;
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
	switch (state) {
	case ST_OPEN_OBJECT:
	case ST_OPEN_ARRAY:
		return open_char(s, c, state);
	case ST_NAME:
		return name_char(s, c);
	case ST_IN_NAME:
		return in_name_char(s, c);
	case ST_NAME_ESC:
		compare_name(s, unescaped(c));
		s->work[JS_STATE] = ST_IN_NAME;
		return 0;
	case ST_COLON:
		return colon_char(s, c);
	case ST_ELEMENT:
		return element_char(s, c);
	case ST_NEXT:
		return next_char(s, c);
	case ST_VALUE:
		return begin_value(s, c);
	case ST_NESTED:
		return nested_char(s, c);
	case ST_NESTED_STR:
		js_put(s, c);
		if (c == '\\' || c == '"')
			s->work[JS_STATE] = c == '"' ? ST_NESTED : ST_NESTED_ESC;
		return 0;
	case ST_NESTED_ESC:
		js_put(s, c);
		s->work[JS_STATE] = ST_NESTED_STR;
		return 0;
	case ST_STR:
		return string_char(s, c);
	case ST_STR_ESC:
		return escaped_char(s, c);
	case ST_STR_CODE:
		return code_digit(s, c);
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
	if (state == ST_NUMBER)
		return number_step(s);
	c = at(s, s->work[JS_AT]);
	s->work[JS_AT]++;
	if (state == ST_PLAIN)
		return plain_char(s, c);
	if (c == 0) /* the text is cut off */
		return 1;
	return one_char(s, state, c);
}

/* An empty result: there is no such value. */
int dt_json(struct dt_scratch *s, u64 dst, u64 text, u64 path)
{
	if (!s)
		return 0;
	s->work[JS_AT] = text;
	s->work[JS_PATH] = path;
	s->work[JS_OUT] = dst;
	s->work[JS_STATE] = ST_STEP;
	s->work[JS_COPY] = s->work[JS_FOUND] = s->work[JS_HIGH] = 0;
	s->work[JS_KEY] = s->work[JS_INDEX] = 0;
	/* A character is read twice at most, and there is the path. */
	dt_loop(s, ROUNDS * 4, json_step);
	put(s, s->work[JS_FOUND] ? s->work[JS_OUT] : dst, 0);
	return 0;
}
