/* SPDX-License-Identifier: MIT */
/* What another Alpaca server says: answers of its API, its list of devices, its answer to a search; and the place that
 * the configuration names. */
#include "alpaca_answer.h"
#include "alpaca_place.h"
#include "alpaca_search.h"
#include "fuzz.h"

static void read_values(const struct alpaca_answer *answer)
{
	bool flag;
	int32_t whole = 0;
	double number = 0;
	const char *text;
	struct err err = {.code = ERR_OK};
	if (alpaca_answer_int(answer, "x", &whole, &err) == ERR_OK) {
		FUZZ_CHECK(alpaca_answer_double(answer, "x", &number, &err) == ERR_OK && number == whole);
	}
	if (alpaca_answer_double(answer, "x", &number, &err) == ERR_OK) {
		FUZZ_CHECK(number - number == 0); /* finite */
	} else {
		FUZZ_CHECK(err.text[0] != '\0');
	}
	if (alpaca_answer_bool(answer, "x", &flag, &err) == ERR_OK) {
		FUZZ_CHECK(alpaca_answer_text(answer, "x", &text, &err) != ERR_OK);
	}
	struct alpaca_listed listed;
	for (int i = 0; i < 20 && alpaca_answer_device(answer, i, &listed); i++) {
		FUZZ_CHECK(listed.number >= -1);
		FUZZ_CHECK(listed.name != NULL && listed.type != NULL && listed.unique_id != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const long statuses[] = {200, 200, 200, 400, 404, 500};
	struct span body = {(const char *)data, size};
	long status = statuses[size % 6];
	struct alpaca_answer answer;
	struct err err = {.code = ERR_OK};
	enum err_code code = alpaca_answer_read(status, body, "x", &answer, &err);
	FUZZ_CHECK((code == ERR_OK) == (answer.json != NULL));
	if (code == ERR_OK) {
		read_values(&answer);
	} else {
		FUZZ_CHECK(err.code == code && err.text[0] != '\0' && text_is_utf8(span_of(err.text)));
		FUZZ_CHECK(err.number == 0 || (err.number >= 0x400 && err.number <= 0xFFF));
	}
	alpaca_answer_fini(&answer);
	int port = alpaca_search_port(body);
	FUZZ_CHECK(port >= 0 && port <= 65535);

	char *text = fuzz_string(data, size);
	struct alpaca_place place;
	if (alpaca_place_read(text, "", &place, &err) == ERR_OK) {
		FUZZ_CHECK(place.search || place.host[0] != '\0');
		FUZZ_CHECK(place.port >= 1 && place.port <= 65535 && place.number >= -1);
		FUZZ_CHECK(strpbrk(place.host, " /?#@\\") == NULL);
	} else {
		FUZZ_CHECK(err.code == ERR_INVALID_VALUE);
	}
	free(text);
	return 0;
}
