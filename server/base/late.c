/* SPDX-License-Identifier: MIT */
#include "late.h"

#include <dlfcn.h>
#include <string.h>

enum err_code late_load(const char *soname, const struct late_symbol *symbols, size_t count, struct err *err)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		return err_set(err, ERR_IO, "the library %s cannot be loaded (%.200s): install it again", soname,
			dlerror());
	}
	for (size_t i = 0; i < count; i++) {
		void *function = dlsym(library, symbols[i].name);
		if (function == NULL) {
			return err_set(err, ERR_IO, "the library %s has no %s: it is not the one that focusd was built "
				"with", soname, symbols[i].name);
		}
		/* C has no cast from a pointer to data to one to a function; POSIX promises that they are alike. */
		memcpy(symbols[i].to, &function, sizeof function);
	}
	return ERR_OK;
}
