/* SPDX-License-Identifier: MIT */
/* The functions of the library for raw files of cameras, which is loaded when the first of them is read. */
#ifndef FOCUSD_RAW_LIBRARY_H
#define FOCUSD_RAW_LIBRARY_H

#include <libraw/libraw.h>

#include "err.h"

struct raw_library {
	__typeof__(&libraw_init) init;
	__typeof__(&libraw_open_file) open_file;
	__typeof__(&libraw_unpack) unpack;
	__typeof__(&libraw_COLOR) colour;
	__typeof__(&libraw_strerror) strerror;
	__typeof__(&libraw_close) close;
};

/* Constant once raw_library_load() has succeeded. */
extern struct raw_library raw_library;

/* Loads the library, as fits_library_load() does. Any thread. ERR_IO with a sentence when it is not installed. */
enum err_code raw_library_load(struct err *err);

#endif
