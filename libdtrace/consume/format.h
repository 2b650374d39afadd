/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - a format of printf() or printa(), compiled: literal text and conversions in
 * turn. format.c makes and checks it; printf.c prints by it.
 */
#ifndef DT_FORMAT_H
#define DT_FORMAT_H

#include "consume/consume.h"
#include "handle.h"

/* How a conversion's argument is checked and printed. */
typedef enum dt_convclass {
	DT_CONV_INTEGER, /* signed as the argument's type is: %d, %i */
	DT_CONV_UNSIGNED,
	DT_CONV_POINTER,
	DT_CONV_CHAR,
	DT_CONV_ESCAPED_CHAR,
	DT_CONV_WIDE_CHAR,
	DT_CONV_STRING,
	DT_CONV_WIDE_STRING,
	DT_CONV_ESCAPED_STRING,
	DT_CONV_FLOAT,
	DT_CONV_KERNEL_ADDRESS,
	DT_CONV_USER_ADDRESS,
	DT_CONV_STACK,
	DT_CONV_PORT,
	DT_CONV_TIME,	 /* "2026 Nov 24 05:42:57" */
	DT_CONV_MAILTIME /* "Tue, 24 Nov 2026 05:42:57 UTC" */
} dt_convclass_t;

typedef struct dt_conv {
	const char *literal; /* text before the conversion, %% already % */
	size_t literal_length;
	dt_convclass_t class;
	char name[4];	    /* as written, without flags: "lld" */
	char letter;	    /* of printf(3) */
	uint8_t size;	    /* bytes the size prefix asks for; 0: any */
	uint8_t wide_size;  /* WIDE_STRING: of a character, set by the check */
	bool is_agg;	    /* %@: the aggregation's value */
	bool is_signed;	    /* INTEGER: set by the check */
	bool is_user_stack; /* STACK: set by the check */
	bool is_plain;	    /* neither flags nor width nor precision */
	bool is_left;
	bool is_dynamic_width, is_dynamic_precision; /* '*': an argument each, before */
	int width;				     /* 0: none */
	int precision;				     /* -1: none */
	char spec[20]; /* for printf(3), width and precision by '*' */
} dt_conv_t;

typedef struct dt_format {
	char *source; /* as given */
	char *text;   /* what the literals point into */
	bool is_printa;
	const char *tail; /* text after the last conversion */
	size_t tail_length;
	uint32_t nconvs;
	dt_conv_t convs[];
} dt_format_t;

#endif
