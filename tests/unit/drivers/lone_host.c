/* SPDX-License-Identifier: MIT */
#include "lone_host.h"

#include <stddef.h>
#include <stdlib.h>

struct joined {
	const struct driver_shared *kind;
	_Alignas(16) char object[];
};

static enum err_code join(void *ctx, const char *key, const struct driver_shared *kind, const void *arg, void **out,
	struct err *err)
{
	(void)ctx;
	struct joined *joined = calloc(1, sizeof *joined + kind->size);
	if (joined == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	joined->kind = kind;
	enum err_code code = kind->create(joined->object, key, arg, err);
	if (code != ERR_OK) {
		free(joined);
		return code;
	}
	*out = joined->object;
	return ERR_OK;
}

static void leave(void *ctx, void *shared)
{
	(void)ctx;
	struct joined *joined = (struct joined *)((char *)shared - offsetof(struct joined, object));
	joined->kind->destroy(shared);
	free(joined);
}

static bool post_to_nobody(void *ctx, const void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return true;
}

void lone_host_fill(struct driver_host *host)
{
	host->join = join;
	host->leave = leave;
	host->post = post_to_nobody;
}
