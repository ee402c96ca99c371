/* SPDX-License-Identifier: MIT */
/* The Parameters of every Action, through the handler, over a core in memory.  Input: the text. */
#include "action.h"
#include "fake_api.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf form;
	for (size_t k = 0; k < alpaca_action_count; k++) {
		bool before = fuzz_spare(true);
		buf_init(&form, 16 << 20);
		buf_printf(&form, "Action=%s&Parameters=", alpaca_actions[k].name);
		for (size_t i = 0; i < size; i++) {
			buf_printf(&form, "%%%02X", data[i]);
		}
		fuzz_spare(before);
		fake_api_ask(HTTP_PUT, "/api/v1/focuser/0/action",
			(struct span){.data = buf_text(&form), .len = form.len});
		buf_fini(&form);
	}
	return 0;
}
