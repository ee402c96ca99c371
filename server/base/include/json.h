/* SPDX-License-Identifier: MIT */
/*
 * JSON both ways: a writer that prints straight into a buffer, and a reader over the JSON library
 * for what clients send.  Pure; any thread.
 */
#ifndef FOCUSD_JSON_H
#define FOCUSD_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "text.h"

/* A writer, which puts the commas where they belong. Depth at most 16. Strings that are not UTF-8 are mended with '?';
 * numbers that are not finite become null. */
struct json_writer {
	struct buf *buf;
	unsigned depth;
	bool has_item[17];
	bool after_key;
};

/* Writes into buf (borrowed), appending to what is there. */
void json_begin(struct json_writer *w, struct buf *buf);

void json_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_string(struct json_writer *w, const char *text);
void json_int(struct json_writer *w, int64_t value);
void json_double(struct json_writer *w, double value);
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);

/* Writes a key and its value; a NULL text becomes null. */
void json_key_string(struct json_writer *w, const char *key, const char *text);
void json_key_int(struct json_writer *w, const char *key, int64_t value);
void json_key_double(struct json_writer *w, const char *key, double value);
void json_key_bool(struct json_writer *w, const char *key, bool value);
void json_key_null(struct json_writer *w, const char *key);

/* A parsed document.  Owned by the caller: json_free(). */
struct json;

/* Parses one JSON text (nothing may follow it but blanks; nesting at most 32, at most 1 MiB).
 * NULL with err filled when it is not JSON. */
struct json *json_parse(struct span text, struct err *err);
void json_free(struct json *json);

bool json_is_object(const struct json *json);
bool json_is_null(const struct json *json);

/* The object's members in order: name and value of member i, false past the end.  The pointers
 * are borrowed from the document. */
bool json_member(const struct json *object, int i, const char **name, const struct json **value);

/* The member of this exact name, or NULL. */
const struct json *json_get(const struct json *object, const char *name);

/* The first member of this name without regard to ASCII case, or NULL: for what programs that spell names otherwise
 * have written. */
const struct json *json_get_nocase(const struct json *object, const char *name);

/* Element i of an array, from 0; NULL past the end and when it is no array.  Takes time in proportion to i. */
const struct json *json_element(const struct json *array, int i);

/* Reads a value of this type; false (out untouched) when it has another type. An integer must be a whole number within
 * int32_t. */
bool json_as_double(const struct json *value, double *out);
bool json_as_i32(const struct json *value, int32_t *out);
bool json_as_bool(const struct json *value, bool *out);
bool json_as_string(const struct json *value, const char **out);

#endif
