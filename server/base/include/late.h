/* SPDX-License-Identifier: MIT */
/*
 * Libraries that are loaded when they are first needed.  A server whose configuration names no FITS file and no
 * upstream server would otherwise load them, and the dozens of libraries behind some of them, at every start, and keep
 * them in memory all night (benchmarks P18 and P19).
 *
 * A room that uses such a library has one table of the functions that it calls, each a member with the type that the
 * library's own header declares:
 *
 *     static struct { typeof(&XML_Parse) parse; } expat;
 *     static const struct late_symbol symbols[] = {{"XML_Parse", &expat.parse}};
 */
#ifndef FOCUSD_LATE_H
#define FOCUSD_LATE_H

#include <stddef.h>

#include "err.h"

/* One function of a library. */
struct late_symbol {
	const char *name; /* as the linker knows it */
	void *to;         /* a pointer to a function pointer of its type, which is filled */
};

/* Loads the library that the loader knows as `soname` ("libcfitsio.so.10") and fills count pointers. The library stays
 * loaded until the process ends. Any thread; a caller with several threads does it once (pthread_once()), before the
 * first call of any of the functions. ERR_IO with a sentence when the library, or a function in it, is not there; the
 * pointers may be filled in part then. */
enum err_code late_load(const char *soname, const struct late_symbol *symbols, size_t count, struct err *err);

#endif
