/* SPDX-License-Identifier: MIT */
/* JSON from clients and from devices.json: parsed and walked; and any text written as a string and read
 * back. */
#include "fuzz.h"
#include "json.h"

static void walk(const struct json *value, int depth)
{
	double number;
	int32_t whole;
	bool flag;
	const char *text;
	FUZZ_CHECK(depth <= 33);
	if (json_as_i32(value, &whole)) {
		FUZZ_CHECK(json_as_double(value, &number) && number == whole);
	}
	if (json_as_double(value, &number)) {
		FUZZ_CHECK(number - number == 0); /* finite */
	}
	(void)json_as_bool(value, &flag);
	if (json_as_string(value, &text)) {
		FUZZ_CHECK(text_is_utf8(span_of(text)));
	}
	const char *name;
	const struct json *inside;
	for (int i = 0; json_is_object(value) && json_member(value, i, &name, &inside); i++) {
		FUZZ_CHECK(json_get(value, name) != NULL);
		walk(inside, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {.code = ERR_OK};
	struct json *json = json_parse((struct span){.data = (const char *)data, .len = size}, &err);
	if (json != NULL) {
		walk(json, 0);
	} else {
		FUZZ_CHECK(err.text[0] != '\0');
	}
	json_free(json);

	char *text = fuzz_string(data, size);
	struct buf out;
	struct json_writer w;
	buf_init(&out, 8 << 20);
	json_begin(&w, &out);
	json_object(&w);
	json_key_string(&w, "text", text);
	json_end_object(&w);
	json = json_parse((struct span){.data = buf_text(&out), .len = out.len}, &err);
	FUZZ_CHECK(json != NULL || out.len > 1 << 20 || fuzz_starved());
	const char *back;
	if (json != NULL && !out.failed && text_is_utf8(span_of(text))) {
		FUZZ_CHECK(json_as_string(json_get(json, "text"), &back) && strcmp(back, text) == 0);
	}
	json_free(json);
	buf_fini(&out);
	free(text);
	return 0;
}
