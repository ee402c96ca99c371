/* SPDX-License-Identifier: MIT */
/*
 * The command of an `exec` camera, as it stands in the configuration: words with places in braces that each exposure
 * fills.  Pure.  No shell is involved, so nothing but these places is replaced: no variable, no wildcard, no pipe.
 *
 *     command = /usr/bin/rpicam-still --raw -n --immediate --shutter {us} -o {out}.jpg
 *     frame = {out}.dng
 */
#ifndef FOCUSD_EXEC_WORDS_H
#define FOCUSD_EXEC_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define EXEC_WORDS_MAX 64
#define EXEC_TEXT_MAX 4096

/* What one exposure puts into the places. */
struct exec_values {
	double exposure_s;  /* {s}, {ms}, {us}: seconds with up to six decimals, whole milli- and microseconds */
	int gain;           /* {gain} */
	bool light;         /* {light}: 1, or 0 for a dark frame */
	const char *out;    /* {out}: a path without an ending, in a folder that is the command's own */
};

/* A command with its places filled, as execv() wants it. */
struct exec_words {
	char *argv[EXEC_WORDS_MAX + 1]; /* ended by NULL; they point into text */
	int argc;
	char text[EXEC_TEXT_MAX];
};

/* Splits a command at blanks and fills its places. A part between single or double quotes keeps its blanks; a quote
 * inside the other kind is a character like any. {{ and }} stand for the braces themselves. ERR_INVALID_VALUE with a
 * sentence: no word, a quote that is not closed, an unknown place, more than EXEC_WORDS_MAX words, or more text than
 * there is room for. */
enum err_code exec_words(const char *command, const struct exec_values *values, struct exec_words *out,
	struct err *err);

/* Fills the places of one text that is not split, such as the name of the frame. Errors as above. */
enum err_code exec_fill(const char *text, const struct exec_values *values, char *out, size_t cap, struct err *err);

/* Whether a command, or the name of a frame, has the place (without braces: "gain"). */
bool exec_has_place(const char *text, const char *place);

#endif
