/* SPDX-License-Identifier: MIT */
/*
 * Whether the library shows all of a request's head.  It ends each line where it lies, with a NUL for each byte of
 * the line's end, and shows names and values as C strings in that same memory, in the order in which they came.  Of
 * a value that is continued on a next line (obsolete folding, RFC 9112 section 5.2) it shows the first line alone,
 * and of a text with a NUL in it what stands before the NUL; a proxy before us reads all of it, and the two then
 * differ in where the request ends or for whom it is.  Such a head has bytes that belong to nothing that was shown,
 * and these are what is looked for here.  Pure; used by http_mhd_request.c on the thread of the request.
 */
#ifndef FOCUSD_HTTP_BLOCK_H
#define FOCUSD_HTTP_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/* One walk through a head.  All pointers are borrowed and have to stay until the end of the walk. */
struct http_block {
	const char *at; /* the first byte behind what was shown so far */
	bool is_broken;
};

/* The request line: method, address (its length as it came, before anything was decoded) and version as the library
 * shows them; all but the address are NUL-terminated. */
void http_block_begin(struct http_block *block, const char *method, struct span address, const char *version);

/* The next header, in the order of the request. */
void http_block_add(struct http_block *block, struct span name, struct span value);

/* Whether everything from the method to end (one past the empty line behind the headers) was shown. */
bool http_block_is_whole(struct http_block *block, const char *end);

#endif
