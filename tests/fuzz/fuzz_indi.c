/* SPDX-License-Identifier: MIT */
/* Bytes from an INDI server: XML, properties, base64.  The first byte says in pieces of which size they come. */
#include "fuzz.h"
#include "indi_base64.h"
#include "indi_store.h"
#include "indi_xml.h"

#include <stdlib.h>

struct session {
	struct indi_store store;
	struct indi_base64 base64;
	bool short_of_memory;
};

static void on_element(void *ctx, const struct indi_element *e)
{
	struct session *s = ctx;
	struct indi_news news;
	if (!indi_store_take(&s->store, e, &news)) {
		FUZZ_CHECK(fuzz_starved());
	}
	FUZZ_CHECK(s->store.devices <= INDI_DEVICES_MAX && s->store.properties <= INDI_PROPERTIES_MAX);
	if (news.device[0] != '\0') {
		FUZZ_CHECK(indi_store_device(&s->store, news.device) != NULL);
	}
}

static void on_blob(void *ctx, const struct indi_element *e)
{
	struct session *s = ctx;
	FUZZ_CHECK(indi_element_children(e) > 0);
	s->base64 = (struct indi_base64){0};
}

static void on_text(void *ctx, const char *text, size_t len)
{
	struct session *s = ctx;
	static unsigned char out[1 << 16];
	FUZZ_CHECK(len <= 64);
	size_t made = indi_base64_decode(&s->base64, text, len, out);
	FUZZ_CHECK(made <= (len + 3) / 4 * 3);
}

static void on_end(void *ctx)
{
	(void)ctx;
}

static const struct indi_xml_handlers handlers = {
	.element = on_element, .blob_begin = on_blob, .blob_text = on_text, .blob_end = on_end};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session s = {.short_of_memory = false};
	struct indi_xml *x = NULL;
	struct err err;
	if (size == 0) {
		return 0;
	}
	size_t piece = 1 + data[0] % 64;
	if (indi_xml_create(&handlers, &s, &x, &err) != ERR_OK) {
		FUZZ_CHECK(fuzz_starved());
		return 0;
	}
	enum err_code code = ERR_OK;
	for (size_t at = 1; at < size && code == ERR_OK; at += piece) {
		code = indi_xml_feed(x, (const char *)data + at, size - at < piece ? size - at : piece, &err);
	}
	indi_xml_destroy(x);
	indi_store_fini(&s.store);
	return 0;
}
