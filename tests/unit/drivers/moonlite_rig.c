/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "moonlite_rig.h"

void moonlite_rig_open_with(struct moonlite_rig *rig, const struct script_step *steps, int32_t max_step,
	const char *quirks)
{
	memset(rig, 0, sizeof *rig);
	rig->host.clock = clock_create_fake();
	rig->host.source = "focuser.0";
	memcpy(rig->port.port, "/dev/script", sizeof "/dev/script");
	rig->port.max_step = max_step;
	snprintf(rig->port.quirks, sizeof rig->port.quirks, "%s", quirks);
	rig->ctx = calloc(1, moonlite_driver.ctx_size);
	script_pipe_init(&script_pipe_next, steps);
	assert_int_equal(moonlite_driver.open(rig->ctx, &rig->port, &rig->host, NULL), ERR_OK);
	/* Nothing goes out before somebody asks. */
	assert_int_equal(script_pipe_next.written_len, 0);
}

void moonlite_rig_open(struct moonlite_rig *rig, const struct script_step *steps, int32_t max_step)
{
	moonlite_rig_open_with(rig, steps, max_step, "");
}

void moonlite_rig_close(struct moonlite_rig *rig)
{
	moonlite_driver.close(rig->ctx);
	assert_true(script_pipe_next.destroyed);
	moonlite_driver.close(rig->ctx);
	free(rig->ctx);
	clock_destroy(rig->host.clock);
}

void moonlite_check_script(void)
{
	if (!script_pipe_done(&script_pipe_next)) {
		fail_msg("sent %s", script_pipe_next.written);
	}
}

void moonlite_open_known(struct moonlite_rig *rig, const struct script_step *steps, int32_t max_step)
{
	struct focuser_caps caps;
	moonlite_rig_open(rig, steps, max_step);
	assert_int_equal(moonlite_driver.identify(rig->ctx, &caps, NULL), ERR_OK);
}

struct focuser_reading moonlite_poll_ok(struct moonlite_rig *rig, unsigned want)
{
	struct focuser_reading reading;
	struct err err;
	if (moonlite_driver.poll(rig->ctx, want, &reading, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	return reading;
}
